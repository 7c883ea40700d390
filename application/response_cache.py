"""Answers that are given again to the same question of the same account, at no charge.

The name of an answer is a digest of the account and of everything that was asked, so that no
account can ever get another's. Calls that ask the same at the same time wait for the first.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import define, evolve, field, frozen

from tollkeeper.application.answer_codec import decode_completion, encode_answer, readable
from tollkeeper.application.chat_call import AdmittedChat, by_provider, fingerprint
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


@define(eq=False)
class _Flight:
    """A question that is being asked, and how many want its answer."""

    lock: asyncio.Lock = field(factory=asyncio.Lock)
    wanted: int = 0


@frozen
class ResponseCache:
    """Keeps answers for ``response_ttl``; without one it keeps none."""

    cache: Cache
    usage_log: UsageLog
    ledger: Ledger
    clock: Clock
    identifiers: Identifiers
    policy: Policy
    _flights: dict[str, _Flight] = field(factory=dict, init=False, repr=False, eq=False)

    def name_of(self, admitted: AdmittedChat) -> str | None:
        """Name the answer to *admitted*; None if no kept answer will do."""
        if self.policy.response_ttl is None or not admitted.may_be_kept:
            return None
        admission = admitted.admission
        owner = admission.principal.account
        route = admitted.choices[0].route
        own = (by_provider(admitted.options.get("credentials")) or {}).get(route.provider)
        key = "" if own is None else hashlib.sha256(own.secret.reveal().encode()).hexdigest()
        asked = "\n".join(
            (owner, admission.model, route.base_url, key, fingerprint(admitted.request))
        )
        return f"response:{hashlib.sha256(asked.encode()).hexdigest()}"

    @asynccontextmanager
    async def flight(
        self, name: str | None, admitted: AdmittedChat, *, deadline: float
    ) -> AsyncIterator[None]:
        """Let one of those who want the answer called *name* ask for it; the others wait.

        *deadline* is a moment of the event loop's clock.

        Raises:
            Timeout: the wait was too long (code ``answer_awaited``); nothing was asked.
        """
        if name is None:
            yield
            return
        flight = self._flights.setdefault(name, _Flight())
        flight.wanted += 1
        try:
            await _taken(flight.lock, admitted, deadline)
            try:
                yield
            finally:
                flight.lock.release()
        finally:
            flight.wanted -= 1
            if not flight.wanted:
                del self._flights[name]

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


async def _taken(lock: asyncio.Lock, admitted: AdmittedChat, deadline: float) -> None:
    try:
        async with asyncio.timeout_at(deadline):
            await lock.acquire()
    except TimeoutError:
        raise Timeout(
            "the same question is being asked, and its answer did not come in time",
            port="chat_model",
            adapter=admitted.choices[0].route.provider,
            code="answer_awaited",
        ) from None
