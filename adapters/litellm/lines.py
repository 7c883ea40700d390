"""The lines of a streamed answer, looked at before litellm reads them."""

import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

from tollkeeper.adapters.litellm.faults import blocked, corrupt, provider_error
from tollkeeper.adapters.litellm.styles import Style
from tollkeeper.adapters.litellm.watching import Watched
from tollkeeper.adapters.wire.answers import Answer
from tollkeeper.adapters.wire.faults import fault_of
from tollkeeper.domain.errors import PortError

LONGEST_LINE = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_LEFT_OUT = (":", "id:", "retry:")


class LineSplitter:
    """Takes bytes in, gives lines out, however the network cut them; they end as SSE has it."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._open: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._first = True

    def feed(self, piece: bytes) -> Iterator[str]:
        """Take *piece* in and yield each line that it completes.

        Raises:
            CorruptResponse: a line is too long, or no UTF-8; all lines before it were yielded.
        """
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(b"\n")
        if b"\r" in piece:
            self._after_cr = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *whole, rest = piece.split(b"\n")
        for line in whole:
            self._grow(line)
            yield self._end()
        self._grow(rest)

    def end(self) -> Iterator[str]:
        """Say that no more bytes come, and yield what only lacked its line end."""
        if self._open:
            yield self._end()

    def _grow(self, part: bytes) -> None:
        if part:
            self._open.append(part)
            self._size += len(part)
            if self._size > self._longest:
                raise corrupt("the provider sent a line longer than the adapter reads")

    def _end(self) -> str:
        line = b"".join(self._open)
        self._open.clear()
        self._size = 0
        if self._first:
            line = line.removeprefix(_BOM)
            self._first = False
        try:
            return line.decode()
        except UnicodeDecodeError:
            raise corrupt("the provider's answer is no UTF-8") from None


class Lines:
    """Gives litellm the lines of *answer*, and *watched* what they say.

    A *failure* of the answer ends the lines; it is kept, for litellm would make another of it.
    """

    def __init__(self, answer: Answer, style: Style, watched: Watched) -> None:
        self._answer = answer
        self._style = style
        self._watched = watched
        self.failure: Exception | None = None

    @property
    def whole(self) -> bool:
        """Whether the answer may end here."""
        seen = self._watched
        return seen.last or (bool(seen.reason) and not self._style.last_line)

    def check(self) -> None:
        """See that the lines ended where the answer does.

        Raises:
            TollkeeperError: the failure that ended them.
            CorruptResponse: they ended before the answer was complete.
        """
        if self.failure is not None:
            raise self.failure
        if not self.whole:
            raise corrupt("the provider's answer ends before it is complete")

    async def read(self) -> AsyncGenerator[str, None]:
        """Yield line after line, to the last one or the failure."""
        splitter = LineSplitter()
        try:
            while piece := await self._answer.read():
                for line in splitter.feed(piece):
                    if self._passes(line):
                        yield line
                    if self._watched.last:
                        return
            for line in splitter.end():
                if self._passes(line):
                    yield line
        except PortError as error:
            if not (self.whole and error.retryable):
                self.failure = error.with_traceback(None)
        except Exception as error:
            self.failure = error.with_traceback(None)  # its frames hold the provider's words

    def _passes(self, line: str) -> bool:
        """Look at *line*; return whether it says anything to litellm."""
        if not line or line.startswith(_LEFT_OUT):
            return False
        data = line.removeprefix("data:").strip() if line.startswith("data:") else line
        if data == "[DONE]":
            self._watched.last = True
            return True
        if line.startswith("data:") or data.startswith("{"):
            found = _object(data)
            if found is not None:
                self._look(found)
        if self._style.last_line and self._style.last_line in data[:100]:
            self._watched.last = True
        return True

    def _look(self, found: dict[str, Any]) -> None:
        if found.get("error") or found.get("object") == "error":
            raise provider_error(fault_of(found), begun=self._watched.begun)
        refused = blocked(found, begun=self._watched.begun)
        if refused is not None:
            raise refused
        self._watched.look(found)


def _object(data: str) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise corrupt("the provider's answer holds an event that is no JSON") from None
    return found if isinstance(found, dict) else None
