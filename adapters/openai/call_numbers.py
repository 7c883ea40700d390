"""The tool calls of a streamed answer, told apart. Pure."""

from tollkeeper.adapters.openai.decoding import CalledTool, Function, arguments_of, signature_of
from tollkeeper.adapters.openai.faults import corrupt
from tollkeeper.domain.completions import ToolCallDelta


class CallNumbers:
    """Numbers the tool calls of one answer.

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

    def numbered(self, pieces: list[CalledTool]) -> tuple[ToolCallDelta, ...]:
        """Return *pieces* with the number that each call has in this answer.

        Raises:
            CorruptResponse: the provider's own number is below 0.
        """
        return tuple(self._numbered(position, piece) for position, piece in enumerate(pieces))

    def _numbered(self, position: int, piece: CalledTool) -> ToolCallDelta:
        index = position if piece.index is None else piece.index
        if index < 0:
            raise corrupt("the provider's answer numbers a tool call below 0")
        function = piece.function or Function()
        number = self._current.get(index)
        known = "" if number is None else self._ids[number]
        if number is None or (piece.id and known and piece.id != known):
            number = len(self._ids)
            self._ids.append("")
            self._named.append(False)
            self._signed.append(False)
            self._current[index] = number
        told, named = bool(self._ids[number]), self._named[number]
        signature = "" if self._signed[number] else signature_of(piece)
        self._ids[number] = self._ids[number] or piece.id or ""
        self._named[number] = named or bool(function.name)
        self._signed[number] = self._signed[number] or bool(signature)
        return ToolCallDelta(
            number,
            "" if told else piece.id or "",
            "" if named else function.name or "",
            arguments_of(function),
            signature,
        )
