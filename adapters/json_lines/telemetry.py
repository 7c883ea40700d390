"""Telemetry as a file of JSON, one line for each finished span."""

from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
from anyio import to_thread

from tollkeeper.adapters.json_lines.records import SpanRecord, encode
from tollkeeper.adapters.json_lines.writer import LineWriter
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.telemetry import Attribute

_LONGEST_FLUSH = 5.0


class JsonLinesTelemetry:
    """Appends to the file at *path*, from a thread of its own.

    Each line is an object: ``trace_id``, ``span_id``, ``parent_id`` (null at the root), ``name``,
    ``start`` (ISO 8601, UTC), ``duration_ms``, ``attributes``, ``error`` (the class of what ended
    the span, or null). Several processes may append to one file. What cannot be kept is dropped
    and counted in ``dropped``; a crash may lose the last tenth of a second.
    """

    def __init__(
        self, path: Path, clock: Clock, identifiers: Identifiers, *, most_waiting: int = 10_000
    ) -> None:
        self._clock = clock
        self._identifiers = identifiers
        self._writer = LineWriter(path, encode, most_waiting=most_waiting)
        # The instance's own, so that the spans of two facades in one task never meet.
        self._current: ContextVar[_OpenSpan | None] = ContextVar("open_span", default=None)

    @classmethod
    def from_url(cls, url: str, *, clock: Clock, identifiers: Identifiers) -> Self:
        """Make one from ``jsonl:///absolute/file.jsonl`` or ``jsonl://./relative.jsonl``.

        Raises:
            ConfigurationError: *url* reads otherwise.
        """
        path = url.removeprefix("jsonl://")
        if path == url or not path.startswith(("/", "./", "../")) or path.endswith("/"):
            raise ConfigurationError(
                "telemetry: write jsonl:///absolute/file.jsonl or jsonl://./relative.jsonl"
            )
        if not path.isprintable():
            raise ConfigurationError("telemetry: the name of the file must be printable")
        try:
            return cls(Path(path).absolute(), clock, identifiers)
        except OSError as error:
            raise ConfigurationError(
                "telemetry: the working directory does not exist any more; write "
                "jsonl:///absolute/file.jsonl"
            ) from error

    @property
    def dropped(self) -> int:
        """How many spans were lost so far."""
        return self._writer.dropped

    def span(self, name: str, attributes: Mapping[str, Attribute] | None = None) -> "_OpenSpan":
        """Open a span."""
        return _OpenSpan(self, name, attributes)

    async def flush(self) -> None:
        """Write out what is waiting, for five seconds at most."""
        with anyio.move_on_after(_LONGEST_FLUSH):
            await to_thread.run_sync(self._writer.write, abandon_on_cancel=True)

    async def health(self) -> str:
        """Open the file and say that it can be written.

        Raises:
            ConfigurationError: it cannot.
        """
        try:
            await to_thread.run_sync(self._writer.check, abandon_on_cancel=True)
        except OSError as error:
            raise ConfigurationError(
                f"telemetry: the file cannot be written ({error.strerror}); "
                "check that its folder is there and may be written to"
            ) from error
        return f"appending, {self.dropped} spans dropped"

    async def __aenter__(self) -> Self:
        """Return itself; the file is opened when the first span ends."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write out what is waiting and close the file, in five seconds at most."""
        with anyio.move_on_after(_LONGEST_FLUSH, shield=True):
            await to_thread.run_sync(self._writer.close, abandon_on_cancel=True)


class _OpenSpan:
    """A span that can be entered once; whatever else is done to it changes nothing."""

    def __init__(
        self,
        telemetry: JsonLinesTelemetry,
        name: str,
        attributes: Mapping[str, Attribute] | None,
    ) -> None:
        self._telemetry = telemetry
        self._name = _text(name)
        self._attributes: dict[str, Attribute] = {}
        if isinstance(attributes, Mapping):
            for key, value in attributes.items():
                self.set(key, value)
        self._parent: _OpenSpan | None = None
        self._trace_id = self._span_id = ""
        self._open = False

    def set(self, name: str, value: Attribute) -> None:
        """Add an attribute."""
        self._attributes[_text(name)] = value

    def __enter__(self) -> Self:
        if self._span_id:
            return self
        telemetry = self._telemetry
        parent = self._parent = _still_open(telemetry._current.get())
        self._trace_id = parent._trace_id if parent else telemetry._identifiers.new("trace")
        self._span_id = telemetry._identifiers.new("span")
        self._start, self._started = telemetry._clock.now(), telemetry._clock.monotonic()
        self._open = True
        telemetry._current.set(self)
        return self

    def __exit__(
        self,
        error: type[BaseException] | None,
        _: BaseException | None,
        __: TracebackType | None,
    ) -> None:
        if not self._open:
            return
        self._open = False
        telemetry = self._telemetry
        telemetry._current.set(_still_open(telemetry._current.get()))
        telemetry._writer.put(
            SpanRecord(
                trace_id=self._trace_id,
                span_id=self._span_id,
                parent_id=self._parent._span_id if self._parent else None,
                name=self._name,
                start=self._start,
                duration=telemetry._clock.monotonic() - self._started,
                attributes=dict(self._attributes),
                error=error.__name__ if error else None,
            )
        )


def _text(name: object) -> str:
    return name if isinstance(name, str) else f"<{type(name).__name__}>"


def _still_open(span: _OpenSpan | None) -> _OpenSpan | None:
    # A span inside a generator may end out of turn, or in another task than it began in: whoever
    # comes after it falls back to what is open still.
    while span is not None and not span._open:
        span = span._parent
    return span
