"""A streamed answer, from bytes to deltas. Pure: the network is somebody else's concern."""

from collections.abc import Iterator

import attrs

from tollkeeper.adapters.openai.decoding import decode_delta
from tollkeeper.adapters.openai.faults import ProviderFault, corrupt, provider_error
from tollkeeper.adapters.openai.sse import EventSplitter
from tollkeeper.domain.completions import Delta, TokenUsage, ToolCallDelta

_DONE = b"[DONE]"


class StreamDecoder:
    """Takes the bytes of an answer in, gives its deltas out, however the bytes were cut.

    The usage is held back and given last and once, whether the provider reports it at the end,
    with every chunk, or never.
    """

    def __init__(self) -> None:
        self._events = EventSplitter()
        self._calls = _CallNumbers()
        self._usage: TokenUsage | None = None
        self._begun = False
        self.finished = False
        """A finish reason was given: the answer is whole."""
        self.done = False
        """The provider said that nothing follows."""

    def feed(self, piece: bytes) -> Iterator[Delta]:
        """Take *piece* in and yield the deltas that it completes.

        Raises:
            CorruptResponse: the bytes break the format.
            TollkeeperError: what the provider itself reports inside the answer.
        """
        return iter(()) if self.done else self._read(self._events.feed(piece))

    def end(self) -> Iterator[Delta]:
        """Say that the bytes ended as they should, and yield what is left.

        Raises:
            CorruptResponse: the answer is not complete.
        """
        if not self.done:
            yield from self._read(self._events.end())
        if not self.finished:
            raise corrupt("the provider's answer ends before it is complete")
        if self._calls.unnamed:
            raise corrupt("the provider's answer calls a tool without naming it")
        yield from self.so_far()

    def so_far(self) -> Iterator[Delta]:
        """Yield the usage that was held back: ask for it before an error is raised."""
        if self._usage is not None:
            usage, self._usage = self._usage, None
            yield Delta(usage=usage)

    def _read(self, events: Iterator[bytes]) -> Iterator[Delta]:
        for data in events:
            if data == _DONE:
                self.done = True
                return
            found = decode_delta(data)
            if isinstance(found, ProviderFault):
                raise provider_error(found, begun=self._begun)
            if found is None:
                continue
            if found.usage is not None:
                self._usage = found.usage
                found = attrs.evolve(found, usage=None)
            if found.tool_calls:
                found = attrs.evolve(found, tool_calls=self._calls.numbered(found.tool_calls))
            if found.finish_reason is not None and self.finished:
                found = attrs.evolve(found, finish_reason=None)  # some providers say it twice
            self.finished = self.finished or found.finish_reason is not None
            if not self._begun or _says_something(found):
                self._begun = True
                yield found


def _says_something(delta: Delta) -> bool:
    return bool(
        delta.text or delta.tool_calls or delta.finish_reason or delta.reasoning or delta.refusal
    )


class _CallNumbers:
    """Numbers the tool calls of one answer.

    Some providers give each of several calls the number 0, others none at all: a piece that
    brings an id other than its call's begins a new call.
    """

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._named: list[bool] = []
        self._current: dict[int, int] = {}

    @property
    def unnamed(self) -> bool:
        """Whether a call never got the name of its tool."""
        return not all(self._named)

    def numbered(self, pieces: tuple[ToolCallDelta, ...]) -> tuple[ToolCallDelta, ...]:
        """Return *pieces* with the number that each call has in this answer."""
        return tuple(self._numbered(piece) for piece in pieces)

    def _numbered(self, piece: ToolCallDelta) -> ToolCallDelta:
        number = self._current.get(piece.index)
        known = "" if number is None else self._ids[number]
        if number is None or (piece.id and known and piece.id != known):
            number = len(self._ids)
            self._ids.append("")
            self._named.append(False)
            self._current[piece.index] = number
        told, named = bool(self._ids[number]), self._named[number]
        self._ids[number] = self._ids[number] or piece.id
        self._named[number] = named or bool(piece.name)
        return ToolCallDelta(
            index=number,
            id="" if told else piece.id,
            name="" if named else piece.name,
            arguments=piece.arguments,
        )
