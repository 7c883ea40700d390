"""The tool calls of an answer as litellm gives them, told apart. Pure."""

from typing import Any

import msgspec

from tollkeeper.adapters.litellm.faults import corrupt
from tollkeeper.adapters.litellm.usage import of
from tollkeeper.domain.completions import ToolCallDelta
from tollkeeper.domain.messages import ToolCall

_SIGNED_ID = "__thought__"  # litellm hangs a signature onto the id, for hosts that keep no more


class CallNumbers:
    """Numbers the tool calls of one stream.

    Some providers give each of several calls the number 0, others none at all: a piece that
    brings an id other than its call's begins a new call.
    """

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._named: list[bool] = []
        self._signed: list[bool] = []
        self._current: dict[int, int] = {}

    @property
    def any(self) -> bool:
        """Whether a tool was called."""
        return bool(self._ids)

    @property
    def unnamed(self) -> bool:
        """Whether a call never got the name of its tool."""
        return not all(self._named)

    def numbered(self, pieces: Any) -> tuple[ToolCallDelta, ...]:
        """Return *pieces* with the number that each call has in this answer.

        Raises:
            CorruptResponse: the provider's own number is below 0.
        """
        return tuple(self._numbered(position, piece) for position, piece in enumerate(pieces))

    def _numbered(self, position: int, piece: Any) -> ToolCallDelta:
        index = of(piece, "index")
        index = position if not isinstance(index, int) else index
        if index < 0:
            raise corrupt("the provider's answer numbers a tool call below 0")
        given, name, arguments, signature = call_of(piece)
        number = self._current.get(index)
        known = "" if number is None else self._ids[number]
        if number is None or (given and known and given != known):
            number = len(self._ids)
            self._ids.append("")
            self._named.append(False)
            self._signed.append(False)
            self._current[index] = number
        told, named, signed = bool(self._ids[number]), self._named[number], self._signed[number]
        self._ids[number] = self._ids[number] or given
        self._named[number] = named or bool(name)
        self._signed[number] = signed or bool(signature)
        return ToolCallDelta(
            number,
            "" if told else given,
            "" if named else name,
            arguments,
            "" if signed else signature,
        )


def whole_call(piece: Any) -> ToolCall:
    """Read a whole call.

    Raises:
        CorruptResponse: it does not name its tool.
    """
    given, name, arguments, signature = call_of(piece)
    if not name:
        raise corrupt("the provider's answer calls a tool without naming it")
    return ToolCall(given, name, arguments, signature)


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
