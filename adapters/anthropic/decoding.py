"""Answers of the Messages API. Pure: bytes in, domain values out.

Unknown fields and blocks are left alone; what an answer rests on (its blocks, and why it ended)
must be there and of its type.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tollkeeper.adapters.anthropic.faults import corrupt, fault_of
from tollkeeper.adapters.anthropic.usage import decode_usage, pools_of
from tollkeeper.adapters.wire.faults import ProviderFault
from tollkeeper.domain.completions import Completion, FinishReason
from tollkeeper.domain.messages import ReasoningPart, ToolCall

NULL = msgspec.Raw(b"null")


class Block(msgspec.Struct):
    """One block of an answer, of whatever type; or the piece that a stream adds to one."""

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = NULL
    partial_json: str | None = None


class Ending(msgspec.Struct):
    """Why an answer ended: in a whole message, or in the ``delta`` at the end of a stream."""

    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None
    container: dict[str, Any] | None = None


class Message(Ending):
    """A whole message, or how a stream begins; or an error in its place."""

    type: str | None = None
    id: str | None = None
    model: str | None = None
    content: list[Block] | None = None
    usage: msgspec.Raw = NULL
    error: Any = None


FINISH_REASONS: Mapping[str, FinishReason] = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.REFUSAL,
    "pause_turn": FinishReason.PAUSED,
}
_decoder = msgspec.json.Decoder(Message)


def decode_completion(body: bytes, *, warnings: tuple[str, ...] = ()) -> Completion | ProviderFault:
    """Read the body of a whole answer, or the fault that came in its place.

    Raises:
        CorruptResponse: it is no message, or not a whole one.
    """
    try:
        message = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise corrupt("the provider's answer is not in the format of messages") from error
    if message.error is not None or message.type == "error":
        return fault_of(message.error)
    if message.content is None:
        raise corrupt("the provider's answer holds no content")
    if not message.stop_reason:
        raise corrupt("the provider's answer does not say why it ended")
    usage = decode_usage(message.usage)
    thoughts = tuple(thought_of(block) for block in message.content if is_thought(block))
    return Completion(
        text="".join(block.text or "" for block in message.content if block.type == "text"),
        tool_calls=_calls(message.content),
        reasoning="".join(thought.text for thought in thoughts),
        finish_reason=finish_of(message.stop_reason),
        usage=pools_of(usage),
        model=message.model or "",
        thoughts=thoughts,
        warnings=warnings,
        extras={
            **({"id": message.id} if message.id else {}),
            **ending_extras(message),
            **(usage.extras() if usage else {}),
        },
    )


def finish_of(reason: str) -> FinishReason:
    """Say why an answer ended, in the domain's terms."""
    return FINISH_REASONS.get(reason, FinishReason.OTHER)


def ending_extras(ending: Ending) -> dict[str, Any]:
    """Return what is said with the reason, by its own names; an unknown reason is kept too.

    How the provider explains a refusal is its own text on its policy, and not what the model
    said: it stands here (``stop_details``), lest the next request put it into the model's mouth.
    """
    found: dict[str, Any] = {
        name: getattr(ending, name)
        for name in ("stop_sequence", "stop_details", "container")
        if getattr(ending, name) is not None
    }
    if ending.stop_reason and ending.stop_reason not in FINISH_REASONS:
        found["stop_reason"] = ending.stop_reason
    return found


def is_thought(block: Block) -> bool:
    """Whether *block* is reasoning, shown or not."""
    return block.type in ("thinking", "redacted_thinking")


def thought_of(block: Block) -> ReasoningPart:
    """Return reasoning as the provider wants it back."""
    if block.type == "redacted_thinking":
        return ReasoningPart(redacted=block.data or "")
    return ReasoningPart(block.thinking or "", block.signature or "")


def _calls(blocks: Iterable[Block]) -> tuple[ToolCall, ...]:
    found: list[ToolCall] = []
    for block in blocks:
        if block.type == "tool_use":
            id_, name = named(block)
            found.append(ToolCall(id_, name, arguments_of(block.input)))
    return tuple(found)


def named(block: Block) -> tuple[str, str]:
    """Return the id and the tool's name of a call.

    Raises:
        CorruptResponse: one of them is missing.
    """
    if not block.id or not block.name:
        raise corrupt("the provider's answer calls a tool without naming it")
    return block.id, block.name


def arguments_of(raw: msgspec.Raw) -> str:
    """Return the arguments as the JSON text that the provider wrote.

    Raises:
        CorruptResponse: they are no UTF-8.
    """
    try:
        text = bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise corrupt("the provider's answer is not in the format of messages") from error
    return "{}" if text in ("null", "") else text
