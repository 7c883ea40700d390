"""What completing and streaming have in common: everything up to the model itself."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict

import attrs
from attrs import frozen

from tollkeeper.application.admission import Admissions
from tollkeeper.application.metered_call import MeteredCall, MeteredCalls
from tollkeeper.application.providers import Providers
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.checks import checked_duration
from tollkeeper.domain.completions import Completion, TokenUsage
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.messages import Message
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.token_counts import bound_input_tokens, estimate_usage
from tollkeeper.domain.tools import ResponseFormat, Tool, ToolChoice
from tollkeeper.ports.chat_model import ChatModel

if TYPE_CHECKING:
    from attrs import AttrsInstance

OPERATION = "chat:complete"


class ChatOptions(TypedDict, total=False):
    """What may be asked of a completion beside its messages; see ChatRequest for each.

    *timeout* bounds the whole call; *idempotency_key* makes it charged once at most.
    """

    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    stop: Sequence[str]
    seed: int | None
    tools: Sequence[Tool]
    tool_choice: ToolChoice | str
    response_format: ResponseFormat
    extra: Mapping[str, Any]
    idempotency_key: str | None
    timeout: timedelta | None


_MOST_TOKENS = 10**9
"""No call reads or writes more in any pool; a report of more is a fault of the provider's."""


def fingerprint(request: "AttrsInstance") -> str:
    """Return a digest of everything that is asked for, to tell a replay from another call."""
    asked = json.dumps(attrs.asdict(request), sort_keys=True, default=_digest_of_bytes)
    return hashlib.sha256(asked.encode()).hexdigest()


def _digest_of_bytes(value: object) -> str:
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else repr(value)


def measured(request: ChatRequest, answer: Completion) -> tuple[TokenUsage, Provenance]:
    """Return what the provider reported, or else an estimate from what was seen."""
    if answer.usage is not None and max(answer.usage.quantities().values()) <= _MOST_TOKENS:
        return answer.usage, Provenance.REPORTED
    return estimate_usage(request, answer), Provenance.ESTIMATED


@frozen
class ChatCall:
    """A completion that is paid for and may now be made."""

    chat_model: ChatModel
    request: ChatRequest
    metered: MeteredCall
    timeout: timedelta
    keep_answer: bool


@frozen
class ChatCalls:
    """Checks a completion, finds its model and places its hold."""

    chat_models: Providers[ChatModel]
    admissions: Admissions
    metered_calls: MeteredCalls

    async def begin(
        self, principal: Principal, model: str, messages: Sequence[Message], options: ChatOptions
    ) -> ChatCall:
        """Do all that comes before the model; whatever is refused here has cost nothing."""
        policy = self.metered_calls.policy
        rest = dict(options)
        key = options.get("idempotency_key")
        given = options.get("timeout")
        timeout = policy.call_timeout if given is None else given
        for name in ("idempotency_key", "timeout", "max_tokens"):
            rest.pop(name, None)
        checked_duration(timeout, field="timeout", shortest=timedelta(milliseconds=1))
        if timeout > policy.call_timeout:
            raise InvalidRequest(f"timeout is at most {policy.call_timeout} (call_timeout)")
        chat_model, name = self.chat_models.serving(model)
        asked = options.get("max_tokens")
        request = ChatRequest(
            model=name,
            messages=messages,
            max_tokens=policy.default_max_tokens if asked is None else asked,
            # What is left are fields of the request, which checks them itself.
            **rest,  # type: ignore[arg-type]
        )
        admission = await self.admissions.admit(
            principal,
            operation=OPERATION,
            model=model,
            meters=(Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS),
        )
        most = admission.plan.max_output_tokens
        if most is not None and request.max_tokens > most:
            if asked is not None:
                raise InvalidRequest(
                    f"max_tokens is at most {most} in the plan {admission.plan.name}",
                    code="max_tokens_over_plan",
                )
            request = attrs.evolve(request, max_tokens=most)
        metered = await self.metered_calls.begin(
            admission,
            bounds={
                Meter.REQUESTS: 1,
                Meter.INPUT_TOKENS: bound_input_tokens(request),
                Meter.OUTPUT_TOKENS: request.max_tokens,
            },
            idempotency_key=key,
            fingerprint=fingerprint(request) if key is not None else "",
        )
        return ChatCall(chat_model, request, metered, timeout, keep_answer=key is not None)
