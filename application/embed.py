"""Turn texts into vectors."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from attrs import define, evolve, frozen

from tollkeeper.application.admission import Admissions
from tollkeeper.application.answers import Answers
from tollkeeper.application.asked import Asked, Choice
from tollkeeper.application.asking import Asking
from tollkeeper.application.chat_call import MOST_TOKENS, checked_call
from tollkeeper.application.chat_calls import counter_for
from tollkeeper.application.chat_options import CallOptions, check_options
from tollkeeper.application.chat_requests import check_extra
from tollkeeper.application.credentials import own_credentials, require_credential
from tollkeeper.application.fingerprints import fingerprint
from tollkeeper.application.live_attempt import LiveAttempt
from tollkeeper.application.metered_call import MeteredCall
from tollkeeper.application.metered_calls import MeteredCalls
from tollkeeper.application.routes import Route, Routing
from tollkeeper.application.shielded import shielded
from tollkeeper.domain.catalogue import Capability
from tollkeeper.domain.completions import Completion, TokenUsage
from tollkeeper.domain.embeddings import EmbeddingRequest, Embeddings
from tollkeeper.domain.errors import Timeout
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.token_counts import bound_embedded_tokens, estimate_embedded_tokens
from tollkeeper.ports.embedder import Embedder
from tollkeeper.ports.telemetry import Telemetry
from tollkeeper.ports.token_counter import TokenCounter

OPERATION = "embeddings:create"


class EmbeddingOptions(CallOptions, total=False):
    """What may be asked of an embedding beside its texts."""

    dimensions: int | None
    user: str | None
    extra: Mapping[str, Any]


_OPTIONS = frozenset(EmbeddingOptions.__annotations__)


@frozen
class _Vectors:
    """Opens attempts at an embedding."""

    request: EmbeddingRequest

    async def open(self, attempt: LiveAttempt[Embedder]) -> Embeddings:
        """Ask for the vectors."""
        route = attempt.route
        request = self.request
        if route.name != request.model:
            request = evolve(request, model=route.name)
        found = await route.adapter.embed(request, credential=attempt.credential)
        tokens = found.input_tokens
        attempt.answered(Completion(usage=None if tokens is None else TokenUsage(input=tokens)))
        return found

    async def discard(self, attempt: LiveAttempt[Embedder], opened: Embeddings) -> None:
        """Do nothing: the attempt has ended, and what it brought is written off."""


@define(eq=False)
class _Call:
    """An embedding whose hold is placed."""

    request: EmbeddingRequest
    metered: MeteredCall

    def measure(self, answer: Completion) -> tuple[dict[Meter, int], Provenance]:
        """Say what an attempt used."""
        tokens, provenance = estimate_embedded_tokens(self.request), Provenance.ESTIMATED
        if answer.usage is not None and answer.usage.input <= MOST_TOKENS:
            tokens, provenance = answer.usage.input, Provenance.REPORTED
        return {Meter.REQUESTS: 1, Meter.INPUT_TOKENS: tokens}, provenance


@frozen
class Embed:
    """Ask a model for the vectors of texts, and charge the tokens that it read."""

    routing: Routing[Embedder]
    admissions: Admissions
    metered_calls: MeteredCalls
    asking: Asking
    answers: Answers
    telemetry: Telemetry
    token_counter: TokenCounter | None = None

    async def __call__(
        self,
        principal: Principal,
        *,
        model: str,
        texts: Sequence[str],
        **options: Unpack[EmbeddingOptions],
    ) -> Embeddings:
        """Return one vector for each of *texts* by *model* (``provider/name`` or an alias).

        *fallbacks* are only those of the call: vectors of two models do not compare.

        Raises:
            DomainError: it is not allowed, not affordable or malformed; no call was made.
            PortError: the provider failed; nothing was charged. Timeout if it took too long.
        """
        with self.telemetry.span("embed", {"gen_ai.request.model": str(model)}) as span:
            self.metered_calls.refuse_when_closing()
            check_options(options, _OPTIONS)
            timeout, hedge_after = checked_call(options, self.metered_calls.policy)
            choices, request = await self._choices(principal, model, texts, options)
            key = options.get("idempotency_key")
            counter = self.token_counter
            bounds = [
                bound_embedded_tokens(request, count=counter_for(counter, choice.route.model))
                for choice in choices
            ]
            metered = await self.metered_calls.begin(
                choices[0].admission,
                bounds={Meter.REQUESTS: 1, Meter.INPUT_TOKENS: max(bounds)},
                idempotency_key=key,
                fingerprint=fingerprint(request) if key is not None else "",
                others=[choice.admission for choice in choices[1:]],
                most_cost=options.get("most_cost"),
            )
            span.set("tollkeeper.call_id", metered.hold.id)
            if metered.replayed:
                return await self.answers.embeddings(metered)
            call = _Call(request, metered)
            async with metered:
                seconds = timeout.total_seconds()
                try:
                    deadline = asyncio.get_running_loop().time() + seconds
                    async with asyncio.timeout_at(deadline) as metered.deadline:
                        asked = Asked(
                            port="embedder",
                            choices=choices,
                            records=metered.records,
                            measure=call.measure,
                            deadline=deadline,
                            credentials=own_credentials(options.get("credentials")),
                            hedge_after=hedge_after,
                        )
                        found, attempt = await self.asking.first(asked, _Vectors(request))
                except TimeoutError as error:
                    provider = choices[0].route.provider
                    raise Timeout(
                        f"{provider} did not answer within {seconds:g} s",
                        port="embedder",
                        adapter=provider,
                        ambiguous=True,
                    ) from error
                return await shielded(lambda: self._settle(call, attempt, found, keep=key))

    async def _choices(
        self,
        principal: Principal,
        model: str,
        texts: Sequence[str],
        options: EmbeddingOptions,
    ) -> tuple[tuple[Choice[Embedder], ...], EmbeddingRequest]:
        principal = self.admissions.permitted(principal, OPERATION)
        plan = await self.admissions.plan_of(principal)

        def choice(name: str) -> Choice[Embedder]:
            route: Route[Embedder] = self.routing.route(name, plan=plan.name)
            require_credential(options, route.provider)
            if route.card is not None:
                route.card.require(Capability.EMBEDDINGS)
            admission = self.admissions.admission(
                principal,
                plan,
                operation=OPERATION,
                model=route.model,
                priced_as=route.price_name,
                meters=(Meter.INPUT_TOKENS,),
            )
            return Choice(route, admission)

        if options.get("extra"):
            check_extra(options["extra"])
        first = choice(model)
        request = EmbeddingRequest(
            model=first.route.name,
            texts=texts,
            dimensions=options.get("dimensions"),
            user=options.get("user"),
            extra=options.get("extra") or {},
        )
        names = self.routing.names_after(first.route.model, options.get("fallbacks") or ())
        found = (first, *map(choice, names))
        # Along each route once, by whatever name it is given.
        choices = {each.route.model: each for each in found}
        await self.admissions.count(first.admission)
        return tuple(choices.values()), request

    async def _settle(
        self,
        call: _Call,
        attempt: LiveAttempt[Embedder],
        found: Embeddings,
        *,
        keep: str | None,
    ) -> Embeddings:
        tokens = found.input_tokens
        usage = None if tokens is None else TokenUsage(input=tokens)
        quantities, provenance = call.measure(Completion(usage=usage))
        call.metered.served_by, call.metered.attempt = attempt.admission, attempt.number
        receipt = await call.metered.capture(quantities, provenance)
        found = evolve(
            found,
            input_tokens=quantities[Meter.INPUT_TOKENS],
            receipt=receipt,
            provider=attempt.route.provider,
            provenance=provenance,
            attempts=call.metered.attempts,
        )
        if keep is not None:
            await self.answers.keep(call.metered, found)
        return found
