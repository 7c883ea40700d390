"""Answers in the OpenAI chat-completions format. Pure: bytes in, domain values out.

Unknown fields are left alone; what an answer rests on (choices, text, tool calls, why it ended)
must be there and of its type. What comes beside it may be of any type, or missing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tollkeeper.adapters.openai.dialects import OPENAI, Dialect
from tollkeeper.adapters.openai.extras import beside_groq, decode_logprobs
from tollkeeper.adapters.openai.faults import corrupt
from tollkeeper.adapters.openai.reasoning import Thoughts
from tollkeeper.adapters.openai.usage import NULL, decode_report
from tollkeeper.adapters.wire.call_numbers import new_id
from tollkeeper.adapters.wire.faults import ProviderFault, decode_fault, fault_of
from tollkeeper.domain.completions import Completion, FinishReason, TokenLogprob, TokenUsage
from tollkeeper.domain.messages import ToolCall


class Function(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CalledTool(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: Function | None = None
    extra_content: Any = None


class Said(msgspec.Struct):
    """A whole ``message`` or a ``delta``: the two have the same fields."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    annotations: Any = None
    tool_calls: list[CalledTool] | None = None


class Choice(msgspec.Struct):
    index: int | None = 0
    message: Said | None = None
    delta: Said | None = None
    finish_reason: str | None = None
    native_finish_reason: Any = None
    logprobs: msgspec.Raw = NULL


class WireAnswer(msgspec.Struct):
    """A whole answer or a chunk of one."""

    choices: list[Choice] | None = None
    usage: msgspec.Raw = NULL
    error: Any = None
    code: Any = None
    model: str | None = None
    system_fingerprint: Any = None
    service_tier: Any = None
    provider: Any = None
    citations: Any = None
    x_groq: Any = None


_decoder = msgspec.json.Decoder(WireAnswer)
_FAILED = "error"  # a finish reason that some providers give to an answer that broke off
_EXTRAS = ("system_fingerprint", "service_tier", "provider", "citations")

FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}


def decode_answer(body: bytes) -> WireAnswer | ProviderFault:
    """Read *body* as a whole answer or a chunk, or as the fault that came in its place.

    Raises:
        CorruptResponse: it is neither.
    """
    try:
        answer = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        if body[:1] == b"[":  # Gemini's errors are lists of one
            fault = decode_fault(body)
            if fault.code or fault.kind:
                return fault
        raise corrupt("the provider's answer is not in the chat-completions format") from error
    if answer.error:
        return fault_of({"error": answer.error, "code": answer.code})
    if answer.x_groq is not None:
        failed = beside_groq(answer.x_groq)[2]
        if failed:
            return fault_of({"error": failed})
    if answer.choices and any(choice.finish_reason == _FAILED for choice in answer.choices):
        return ProviderFault(code=_FAILED)
    return answer


def first_choice(answer: WireAnswer) -> Choice | None:
    """Return the one choice that was asked for; the first has number 0."""
    return next((choice for choice in answer.choices or () if not choice.index), None)


def reasoning_of(said: Said, thoughts: Thoughts) -> str:
    """Return the reasoning, and keep it in *thoughts*; who fills two fields says the same in both.

    ``reasoning_details`` hold the text once more, with what proves it.
    """
    text = said.reasoning_content
    if not text or not isinstance(text, str):
        text = said.reasoning if isinstance(said.reasoning, str) else ""
    if said.reasoning_details:
        shown = thoughts.add_details(said.reasoning_details)
        return text or shown
    if text:
        thoughts.add_text(text)
    return text


def arguments_of(function: Function) -> str:
    """Return the arguments of a call as JSON text."""
    if isinstance(function.arguments, dict):  # some servers send the object itself
        return msgspec.json.encode(function.arguments).decode()
    return function.arguments or ""


def signature_of(call: CalledTool) -> str:
    """Return the signature that Gemini gives a call, to have it back unchanged."""
    google = call.extra_content.get("google") if isinstance(call.extra_content, dict) else None
    found = google.get("thought_signature") if isinstance(google, dict) else None
    return found if isinstance(found, str) else ""


def finish_reason_of(wire: str, *, refused: bool, called: bool) -> FinishReason:
    """Say why the answer ended.

    A refusal ends with ``stop`` on the wire; so do, at some providers, answers that call tools.
    """
    reason = FINISH_REASONS.get(wire, FinishReason.OTHER)
    if reason is not FinishReason.STOP or not (refused or called):
        return reason
    return FinishReason.REFUSAL if refused else FinishReason.TOOL_CALLS


def usage_of(answer: WireAnswer) -> tuple[TokenUsage | None, Mapping[str, Any]]:
    """Return the usage that is reported, and what the report says beside it.

    Groq's streams report beside ``x_groq`` too, and there alone where it was not asked for.
    """
    usage, more = decode_report(answer.usage)
    if usage is None and answer.x_groq is not None:
        report = beside_groq(answer.x_groq)[1]
        if isinstance(report, dict):
            return decode_report(msgspec.json.encode(report))
    return usage, more


def extras_of(answer: WireAnswer, choice: Choice | None, said: Said | None) -> dict[str, Any]:
    """Return what the provider says beside an answer or a chunk, by its own names."""
    extras: dict[str, Any] = {}
    for name in _EXTRAS:
        value = getattr(answer, name)
        if value is not None:
            extras[name] = value
    if answer.x_groq is not None:
        extras |= beside_groq(answer.x_groq)[0]
    if choice is not None and choice.native_finish_reason is not None:
        extras["native_finish_reason"] = choice.native_finish_reason
    if said is not None and said.annotations:
        extras["annotations"] = said.annotations
    return extras


def logprobs_of(choice: Choice) -> tuple[TokenLogprob, ...]:
    """Return the tokens with their probabilities, where there are any."""
    return () if choice.logprobs == NULL else decode_logprobs(choice.logprobs)


def decode_completion(
    body: bytes, *, dialect: Dialect = OPENAI, warnings: tuple[str, ...] = ()
) -> Completion | ProviderFault:
    """Read the body of a whole answer, or the fault that came in its place.

    Raises:
        CorruptResponse: it is no chat completion, or not a whole one.
    """
    answer = decode_answer(body)
    if isinstance(answer, ProviderFault):
        return answer
    choice = first_choice(answer)
    if choice is None or choice.message is None:
        raise corrupt("the provider's answer holds no choice")
    if not choice.finish_reason:
        raise corrupt("the provider's answer does not say why it ended")
    said = choice.message
    thoughts = Thoughts()
    usage, more = usage_of(answer)
    return Completion(
        text=said.content or "",
        tool_calls=tuple(_whole_calls(said)),
        reasoning=reasoning_of(said, thoughts),
        refusal=said.refusal or "",
        finish_reason=finish_reason_of(
            choice.finish_reason, refused=bool(said.refusal), called=bool(said.tool_calls)
        ),
        usage=usage,
        model=answer.model or "",
        thoughts=thoughts.parts() if dialect.thoughts else (),
        logprobs=logprobs_of(choice),
        warnings=warnings,
        extras={**extras_of(answer, choice, said), **more},
    )


def _whole_calls(said: Said) -> Iterator[ToolCall]:
    for call in said.tool_calls or ():
        function = call.function
        if function is None or not function.name:
            raise corrupt("the provider's answer calls a tool without naming it")
        yield ToolCall(
            call.id or new_id(), function.name, arguments_of(function), signature_of(call)
        )
