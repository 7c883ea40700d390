"""What completing and streaming have in common: everything up to the models themselves."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from tollkeeper.application.admission import Admissions
from tollkeeper.application.answers import Answers
from tollkeeper.application.asked import Choice
from tollkeeper.application.chat_call import (
    AdmittedChat,
    ChatCall,
    checked_call,
)
from tollkeeper.application.chat_options import (
    OF_A_CHAT,
    OF_THE_CALL,
    ChatOptions,
    check_options,
)
from tollkeeper.application.chat_requests import check_extra, checked_for, never_used, request_along
from tollkeeper.application.credentials import require_credential
from tollkeeper.application.fingerprints import fingerprint
from tollkeeper.application.metered_calls import MeteredCalls
from tollkeeper.application.policy import Policy
from tollkeeper.application.routes import MOST_ROUTES, Routing
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import Completion
from tollkeeper.domain.errors import (
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Unsupported,
)
from tollkeeper.domain.messages import Message
from tollkeeper.domain.meters import Meter
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.token_counts import Count, bound_input_tokens
from tollkeeper.domain.tools import JsonSchema
from tollkeeper.ports.chat_model import ChatModel
from tollkeeper.ports.schema_validator import SchemaValidator
from tollkeeper.ports.token_counter import TokenCounter

OPERATION = "chat:complete"
_METERS = (Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS)


def counter_for(counter: TokenCounter | None, model: str) -> Count | None:
    """Return what counts the tokens of a text for *model*."""
    return None if counter is None else lambda text: counter.count(text, model=model)


def _own(options: ChatOptions) -> Mapping[str, object]:
    """Return, as the caller gave them, the options that settings, plan and catalogue change."""
    return {
        "max_tokens": options.get("max_tokens"),
        "prompt_cache": options.get("prompt_cache"),
        "on_unsupported": options.get("on_unsupported"),
    }


@frozen
class ChatCalls:
    """Checks a completion, finds its models and places its hold."""

    routing: Routing[ChatModel]
    admissions: Admissions
    metered_calls: MeteredCalls
    schema_validator: SchemaValidator
    token_counter: TokenCounter | None = None

    @property
    def policy(self) -> Policy:
        """What the settings say."""
        return self.metered_calls.policy

    async def admit(
        self, principal: Principal, model: str, messages: Sequence[Message], options: ChatOptions
    ) -> AdmittedChat:
        """Do all that comes before money; whatever is refused here has cost nothing."""
        self.metered_calls.refuse_when_closing()
        check_options(options, OF_A_CHAT)
        timeout, hedge_after = checked_call(options, self.policy)
        if "hedge_after" not in options:
            hedge_after = self.policy.hedge_after
        request = self._request(model, messages, options)
        if isinstance(request.response_format, JsonSchema):
            self.schema_validator.check(request.response_format.schema)
        principal = self.admissions.permitted(principal, OPERATION)
        plan = await self.admissions.plan_of(principal)
        route = self.routing.route(model, plan=plan.name)
        require_credential(options, route.provider)
        admission = self.admissions.admission(
            principal,
            plan,
            operation=OPERATION,
            model=route.model,
            priced_as=route.price_name,
            meters=_METERS,
            never=never_used(request, route.card),
        )
        asked = options.get("max_tokens")
        request = checked_for(request, route, plan, asked=asked)
        first = Choice(route, admission)

        def others(names: Iterable[str]) -> tuple[Choice[ChatModel], ...]:
            found = (self._other(name, first, request, options) for name in names)
            # Along each route once, by whatever name it is given.
            return tuple({each.route.model: each for each in found if each is not None}.values())

        chain = self.routing.names_after(route.model, options.get("fallbacks"))
        choices = (first, *others(chain))
        await self.admissions.count(admission)
        more = self._aside(choices, request, options)
        return AdmittedChat(request, choices, *more, timeout, hedge_after, options)

    def _request(
        self, model: str, messages: Sequence[Message], options: ChatOptions
    ) -> ChatRequest:
        card = self.routing.catalogue.card(model) if isinstance(model, str) else None
        # To leave one out, or to give None, is one thing.
        rest: dict[str, Any] = {
            name: value
            for name, value in options.items()
            if name not in OF_THE_CALL and value is not None
        }
        if rest.get("extra"):
            check_extra(rest["extra"])
        rest.setdefault("max_tokens", self.policy.default_max_tokens)
        if card is not None:
            rest["quirks"] = card.request_quirks
        rest.setdefault("on_unsupported", self.policy.on_unsupported)
        name = card.wire_name if card is not None else str(model).partition("/")[2] or "?"
        return ChatRequest(model=name, messages=messages, **rest)

    def _other(
        self, name: str, first: Choice[ChatModel], request: ChatRequest, options: ChatOptions
    ) -> Choice[ChatModel] | None:
        """Return the choice of another model; None if this account or request cannot have it."""
        admission = first.admission
        try:
            route = self.routing.route(name, plan=admission.plan.name)
        except PermissionDenied:
            return None
        except (NotFound, InvalidRequest) as error:
            if error.code == "model_disabled" or options.get("fallbacks") is None:
                # Who switches a model off, or names one that nobody serves in the settings, must
                # not break the calls of others; doctor reports it.
                return None
            raise InvalidRequest(
                f"the fallback {name}: {error}", code="invalid_fallback"
            ) from error
        try:
            require_credential(options, route.provider)
            request_along(request, route, first=first.route)
            other = self.admissions.admission(
                admission.principal,
                admission.plan,
                operation=OPERATION,
                model=route.model,
                priced_as=route.price_name,
                meters=_METERS,
                never=never_used(request, route.card),
            )
        except (PermissionDenied, Unsupported, InvalidRequest):
            return None
        fits = other.prices.currency == admission.prices.currency
        return Choice(route, other) if fits and route.model != first.route.model else None

    def _aside(
        self, choices: Sequence[Choice[ChatModel]], request: ChatRequest, options: ChatOptions
    ) -> tuple[dict[str, Choice[ChatModel]], dict[str, Choice[ChatModel]]]:
        """Return the models with a larger window, and those behind another filter.

        Each stands by the model in whose place it is asked: one of *choices*, or of these.
        """
        larger: dict[str, Choice[ChatModel]] = {}
        behind: dict[str, Choice[ChatModel]] = {}
        known = {choice.route.model: choice for choice in choices}
        most = len(known) + MOST_ROUTES
        waiting = list(choices)
        for choice in waiting:
            card = choice.route.card
            names = [(larger, card.larger)] if card and self.policy.overflow_fallback else []
            names += [(behind, card.unfiltered)] if card and self.policy.filter_fallback else []
            for table, name in names:
                other = self._other(name, choices[0], request, options) if name else None
                if other is None or len(known) >= most:
                    continue
                table[choice.route.model] = known.setdefault(other.route.model, other)
                if known[other.route.model] is other:
                    waiting.append(other)
        return larger, behind

    async def begin_or_replay(
        self, admitted: AdmittedChat, answers: Answers
    ) -> ChatCall | Completion:
        """Place the hold, or return the answer that was given under the idempotency key.

        Raises:
            Conflict: the answer is no longer kept (code ``already_charged``).
            IdempotencyConflict: the key was used for another call.
        """
        try:
            call = await self.begin(admitted)
        except IdempotencyConflict:
            key = admitted.options.get("idempotency_key")
            assert key is not None
            asked = fingerprint(admitted.request, own=_own(admitted.options))
            answer = await answers.completion_under(key, admitted.admission, asked)
            if answer is None:
                raise
            return answer
        return await answers.completion(call.metered) if call.metered.replayed else call

    async def begin(self, admitted: AdmittedChat) -> ChatCall:
        """Place the hold: the worst case of the dearest model that may answer."""
        request, options = admitted.request, admitted.options
        key = options.get("idempotency_key")
        choices = list(admitted.all_choices())
        metered = await self.metered_calls.begin(
            admitted.admission,
            bounds={
                Meter.REQUESTS: 1,
                Meter.INPUT_TOKENS: self._bound(request, choices),
                Meter.OUTPUT_TOKENS: request.max_tokens,
            },
            idempotency_key=key,
            fingerprint="" if key is None else fingerprint(request, own=_own(options)),
            others=[choice.admission for choice in choices[1:]],
            most_cost=options.get("most_cost"),
        )
        return ChatCall(admitted, metered)

    def _bound(self, request: ChatRequest, choices: Sequence[Choice[ChatModel]]) -> int:
        bounds = []
        for choice in choices:
            card = choice.route.card
            count = counter_for(self.token_counter, choice.route.model)
            window = None if card is None else card.context_window
            bounds.append(bound_input_tokens(request, count=count, window=window))
        return max(bounds)
