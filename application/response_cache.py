"""Answers that are given again to the same question of the same account, at no charge.

The name of an answer is a digest of the account and of everything that was asked, so that no
account can ever get another's. Calls that ask the same at the same time wait for the first.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import evolve, field, frozen

from tollkeeper.application.answer_codec import decode_completion, encode_answer, readable
from tollkeeper.application.chat_call import AdmittedChat
from tollkeeper.application.credentials import own_credentials
from tollkeeper.application.fingerprints import digest
from tollkeeper.application.flights import Flights, Lead, Wait
from tollkeeper.application.policy import Policy
from tollkeeper.domain.completions import Completion, FinishReason, Receipt
from tollkeeper.domain.errors import InvalidRequest, PortError, Timeout
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent
from tollkeeper.ports.cache import Cache
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.ledger import Ledger
from tollkeeper.ports.usage_log import UsageLog

_KEPT = (FinishReason.STOP, FinishReason.TOOL_CALLS)


@frozen
class ResponseCache:
    """Keeps answers for ``response_ttl``; without one it keeps none."""

    cache: Cache
    usage_log: UsageLog
    ledger: Ledger
    clock: Clock
    identifiers: Identifiers
    policy: Policy
    flights: Flights = field(factory=Flights, init=False, repr=False, eq=False)
    """Who is asking what, and who waits for it."""

    def name_of(self, admitted: AdmittedChat) -> str | None:
        """Name the answer to *admitted*; None if no kept answer will do."""
        if self.policy.response_ttl is None or not admitted.may_be_kept:
            return None
        admission = admitted.admission
        owner = admission.principal.account
        route = admitted.choices[0].route
        brought = own_credentials(admitted.options.get("credentials"))
        own = None if brought is None else brought.at(route.provider, route.base_url)
        key = "" if own is None else hashlib.sha256(own.secret.reveal().encode()).hexdigest()
        asked = (owner, admission.model, route.base_url, key, admitted.request)
        return f"response:{digest(asked)}"

    async def lead(
        self,
        name: str | None,
        admitted: AdmittedChat,
        *,
        deadline: float,
        wait: Wait | None = None,
    ) -> Lead:
        """Wait until nobody else asks for the answer called *name*; then look for it, or ask.

        *deadline* is a moment of the event loop's clock. Whatever happens, the lead must be ended.
        What has no name waits for nobody.

        Raises:
            Timeout: the wait was too long (code ``answer_awaited``); nothing was asked.
            Conflict: the facade is closing.
        """
        if name is None:
            return Lead(self.flights, "", waited=False, ended=True)
        try:
            return await self.flights.lead(name, until=deadline, wait=wait)
        except TimeoutError:
            raise Timeout(
                "the same question is being asked, and its answer did not come in time",
                port="chat_model",
                adapter=admitted.choices[0].route.provider,
                code="answer_awaited",
            ) from None

    @asynccontextmanager
    async def flight(
        self, name: str | None, admitted: AdmittedChat, *, deadline: float
    ) -> AsyncIterator[None]:
        """Let one of those who want the answer called *name* ask for it; the others wait.

        Raises:
            Timeout, Conflict: as :meth:`lead` says.
        """
        lead = await self.lead(name, admitted, deadline=deadline)
        try:
            yield
        finally:
            lead.end()

    async def kept(self, name: str | None) -> Completion | None:
        """Return the answer called *name*, if it is kept and can be read.

        A cache that is away, or holds what another version wrote, costs a call and no more.
        """
        if name is None:
            return None
        try:
            kept = await self.cache.get(name)
        except PortError:
            return None
        return None if kept is None else readable(decode_completion, kept)

    async def given_again(self, answer: Completion, admitted: AdmittedChat) -> Completion:
        """Record that the kept *answer* is given again, at no charge, and return it marked.

        Raises:
            PortError: the store could not be reached.
        """
        admission = admitted.admission
        nothing = Money.zero(admission.prices.currency)
        call_id = self.identifiers.new("call")
        event = UsageEvent(
            id=f"{call_id}:{Meter.CACHED_ANSWERS}",
            account=admission.principal.account,
            key_id=admission.principal.key_id,
            call_id=call_id,
            operation=admission.operation,
            model=admission.model,
            meter=Meter.CACHED_ANSWERS,
            quantity=1,
            provenance=Provenance.REPORTED,
            cost=nothing,
            charge=nothing,
            price_id=admission.prices.id,
            occurred_at=self.clock.now(),
        )
        await self.usage_log.record([event])
        balance = await self.ledger.balance(
            account=event.account, currency=admission.prices.currency
        )
        receipt = Receipt(
            call_id=call_id,
            account=event.account,
            model=admission.model,
            held=nothing,
            charged=nothing,
            quantities={Meter.CACHED_ANSWERS: 1},
            provenance=Provenance.REPORTED,
            price_id=admission.prices.id,
            entry_id="",
            balance_after=balance.posted,
        )
        return evolve(answer, receipt=receipt, cached=True, attempts=(), first_after=None)

    async def keep(self, name: str | None, answer: Completion) -> None:
        """Keep a complete *answer*; what cannot be kept is asked for again."""
        ttl = self.policy.response_ttl
        if name is None or ttl is None or answer.finish_reason not in _KEPT or answer.refusal:
            return
        try:
            kept = encode_answer(evolve(answer, receipt=None, attempts=()))
            await self.cache.set(name, kept, ttl=ttl)
        except (PortError, InvalidRequest, TypeError):
            return
