"""The tool calls of an answer in the OpenAI format, told apart. Pure, but for ids that are made."""

from uuid import uuid4

from tollkeeper.domain.completions import ToolCallDelta
from tollkeeper.domain.errors import CorruptResponse


def new_id() -> str:
    """Return an id for a call that came without: what the tool says must name its call."""
    return f"call_{uuid4().hex}"


class CallNumbers:
    """Numbers the tool calls of one answer; *adapter* is what errors say.

    Some providers give each of several calls the number 0, others none at all: a piece that
    brings an id other than its call's begins a new call.
    """

    def __init__(self, adapter: str) -> None:
        self._adapter = adapter
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

    def missing_ids(self) -> tuple[ToolCallDelta, ...]:
        """Return an id for each call that got none; ask when all pieces are there."""
        found = []
        for number, known in enumerate(self._ids):
            if not known:
                self._ids[number] = new_id()
                found.append(ToolCallDelta(number, self._ids[number]))
        return tuple(found)

    def numbered(
        self, index: int, given: str, name: str, arguments: str, signature: str
    ) -> ToolCallDelta:
        """Return a piece of a call with the number that the call has in this answer.

        *index* is the provider's own number, *given* the id; all but the arguments are told once.

        Raises:
            CorruptResponse: the provider's own number is below 0.
        """
        if index < 0:
            raise CorruptResponse(
                "the provider's answer numbers a tool call below 0",
                port="chat_model",
                adapter=self._adapter,
            )
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
