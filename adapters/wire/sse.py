"""Server-sent events: what a stream of bytes says, however the network cut it. Pure.

The format is described at https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from collections.abc import Iterator

from tollkeeper.domain.errors import CorruptResponse

LONGEST_EVENT = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class EventSplitter:
    """Takes bytes in, gives the ``data`` of each event out; comments and other fields are left.

    Lines end with LF, CR or CRLF. One event, and so one line, has at most *longest_event* bytes.
    *adapter* is what errors say; events are what chat models answer with.
    """

    __slots__ = ("_adapter", "_after_cr", "_data", "_first", "_line", "_longest", "_size")

    def __init__(self, adapter: str, longest_event: int = LONGEST_EVENT) -> None:
        self._adapter = adapter
        self._longest = longest_event
        self._line: list[bytes] = []  # the pieces of the line that has not ended yet
        self._data: list[bytes] = []  # the data lines of the event that has not ended yet
        self._size = 0
        self._after_cr = False
        self._first = True

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Take *piece* in and yield the data of each event that it completes.

        Raises:
            CorruptResponse: an event is too long; all events before it were yielded.
        """
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(b"\n")
        if b"\r" in piece:
            self._after_cr = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = piece.split(b"\n")
        for line in lines[:-1]:
            self._grow(line)
            yield from self._end_line()
        self._grow(lines[-1])

    def end(self) -> Iterator[bytes]:
        """Say that no more bytes come, and yield what only lacked its last line ends."""
        yield from self._end_line()
        yield from self._end_line()

    def _grow(self, part: bytes) -> None:
        if part:
            self._line.append(part)
            self._size += len(part)
            if self._size > self._longest:
                raise CorruptResponse(
                    "the provider sent an event longer than the adapter reads",
                    port="chat_model",
                    adapter=self._adapter,
                )

    def _end_line(self) -> Iterator[bytes]:
        line = self._line[0] if len(self._line) == 1 else b"".join(self._line)
        self._line.clear()
        if self._first:
            line = line.removeprefix(_BOM)
            self._first = False
        if not line:
            self._size = 0
            if self._data:
                data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                self._data.clear()
                yield data
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif not self._data:
            self._size = 0
