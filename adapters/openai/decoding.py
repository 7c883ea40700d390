"""Answers in the OpenAI chat-completions format. Pure: bytes in, domain values out.

Unknown fields are left alone; what an answer rests on (choices, text, tool calls, why it ended)
must be there and of its type.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tollkeeper.adapters.openai.faults import ProviderFault, corrupt, fault_of
from tollkeeper.adapters.openai.usage import decode_usage
from tollkeeper.domain.completions import Completion, Delta, FinishReason, ToolCallDelta
from tollkeeper.domain.messages import ToolCall

_NULL = msgspec.Raw(b"null")


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Said(msgspec.Struct):
    """A whole ``message`` or a ``delta``: the two have the same fields."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    index: int | None = 0
    message: _Said | None = None
    delta: _Said | None = None
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    """A whole answer or a chunk of one."""

    choices: list[_Choice] | None = None
    usage: msgspec.Raw = _NULL
    error: Any = None
    model: str | None = None


_decoder = msgspec.json.Decoder(_Answer)
_NOTHING = _Said()
_FAILED = "error"  # a finish reason that some providers give to an answer that broke off

FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}


def _decode(body: bytes) -> _Answer:
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise corrupt("the provider's answer is not in the chat-completions format") from error


def _first(answer: _Answer) -> _Choice | None:
    """Return the one choice that was asked for; the first has number 0."""
    return next((choice for choice in answer.choices or () if not choice.index), None)


def _reasoning(said: _Said) -> str:
    """Return the reasoning; a provider that fills both fields says the same in both."""
    for text in (said.reasoning_content, said.reasoning):
        if isinstance(text, str) and text:
            return text
    return ""


def _arguments(function: _Function) -> str:
    if isinstance(function.arguments, dict):  # some servers send the object itself
        return msgspec.json.encode(function.arguments).decode()
    return function.arguments or ""


def decode_completion(body: bytes) -> Completion | ProviderFault:
    """Read the body of a whole answer, or the fault that came in its place.

    Raises:
        CorruptResponse: it is no chat completion, or not a whole one.
    """
    answer = _decode(body)
    if answer.error:
        return fault_of(answer.error)
    choice = _first(answer)
    if choice is None or choice.message is None:
        raise corrupt("the provider's answer holds no choice")
    if choice.finish_reason == _FAILED:
        return ProviderFault(code=_FAILED)
    if not choice.finish_reason:
        raise corrupt("the provider's answer does not say why it ended")
    said = choice.message
    return Completion(
        text=said.content or "",
        tool_calls=tuple(_whole_call(call) for call in said.tool_calls or ()),
        reasoning=_reasoning(said),
        refusal=said.refusal or "",
        finish_reason=FINISH_REASONS.get(choice.finish_reason, FinishReason.OTHER),
        usage=decode_usage(answer.usage),
        model=answer.model or "",
    )


def _whole_call(call: _ToolCall) -> ToolCall:
    function = call.function
    if function is None or not function.name:
        raise corrupt("the provider's answer calls a tool without naming it")
    return ToolCall(call.id or "", function.name, _arguments(function))


def decode_delta(data: bytes) -> Delta | ProviderFault | None:
    """Read the data of one event: a delta, a fault, or None where it says nothing of either.

    Raises:
        CorruptResponse: it is no chunk of a chat completion.
    """
    answer = _decode(data)
    if answer.error:
        return fault_of(answer.error)
    usage = decode_usage(answer.usage)
    choice = _first(answer)
    if choice is None:
        return None if usage is None else Delta(usage=usage, model=answer.model or "")
    if choice.finish_reason == _FAILED:
        return ProviderFault(code=_FAILED)
    said = choice.delta or _NOTHING
    reason = choice.finish_reason
    return Delta(
        text=said.content or "",
        tool_calls=tuple(
            _call_piece(position, call) for position, call in enumerate(said.tool_calls or ())
        ),
        reasoning=_reasoning(said),
        refusal=said.refusal or "",
        finish_reason=FINISH_REASONS.get(reason, FinishReason.OTHER) if reason else None,
        usage=usage,
        model=answer.model or "",
    )


def _call_piece(position: int, call: _ToolCall) -> ToolCallDelta:
    index = position if call.index is None else call.index
    if index < 0:
        raise corrupt("the provider's answer numbers a tool call below 0")
    function = call.function or _Function()
    return ToolCallDelta(index, call.id or "", function.name or "", _arguments(function))
