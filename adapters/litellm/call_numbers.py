"""The tool calls of an answer as litellm gives them, told apart. Pure."""

from typing import Any

import msgspec

from tollkeeper.adapters.litellm.faults import corrupt
from tollkeeper.adapters.litellm.usage import of
from tollkeeper.adapters.wire.call_numbers import CallNumbers, new_id
from tollkeeper.domain.completions import ToolCallDelta
from tollkeeper.domain.messages import ToolCall

_SIGNED_ID = "__thought__"  # litellm hangs a signature onto the id, for hosts that keep no more


def numbered(numbers: CallNumbers, pieces: Any) -> tuple[ToolCallDelta, ...]:
    """Return *pieces* with the *numbers* that their calls have in this answer.

    Raises:
        CorruptResponse: the provider's own number is below 0.
    """
    found = []
    for position, piece in enumerate(pieces):
        index = of(piece, "index")
        index = index if isinstance(index, int) else position
        found.append(numbers.numbered(index, *call_of(piece)))
    return tuple(found)


def whole_call(piece: Any) -> ToolCall:
    """Read a whole call.

    Raises:
        CorruptResponse: it does not name its tool.
    """
    given, name, arguments, signature = call_of(piece)
    if not name:
        raise corrupt("the provider's answer calls a tool without naming it")
    return ToolCall(given or new_id(), name, arguments, signature)


def call_of(piece: Any) -> tuple[str, str, str, str]:
    """Return a call's id, name, arguments and signature, each empty where it is not given."""
    function = of(piece, "function")
    arguments = of(function, "arguments")
    if isinstance(arguments, dict):
        arguments = msgspec.json.encode(arguments).decode()
    signature = ""
    for holder in (piece, function):
        fields = of(holder, "provider_specific_fields")
        signature = signature or _word(of(fields, "thought_signature"))
    given = _word(of(piece, "id")).partition(_SIGNED_ID)[0]
    return given, _word(of(function, "name")), _word(arguments), signature


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
