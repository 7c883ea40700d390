"""Telemetry that tests can look at."""

from collections import deque
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from attrs import field, frozen

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.telemetry import Attribute

_MOST_SPANS = 10_000


@frozen
class FinishedSpan:
    """What was seen of a stretch of work; *error* is the class of what ended it, or empty."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start: datetime
    duration: timedelta
    attributes: Mapping[str, Attribute] = field(factory=dict)
    error: str = ""


class MemoryTelemetry:
    """Keeps the last *most_spans* finished spans, in the order in which they ended."""

    def __init__(
        self, clock: Clock, identifiers: Identifiers, *, most_spans: int = _MOST_SPANS
    ) -> None:
        self.spans: deque[FinishedSpan] = deque(maxlen=most_spans)
        self._clock = clock
        self._identifiers = identifiers
        # The instance's own, so that the spans of two facades in one task never meet.
        self._current: ContextVar[_OpenSpan | None] = ContextVar("open_span", default=None)

    @classmethod
    def from_url(cls, url: str, *, clock: Clock, identifiers: Identifiers) -> Self:
        """Make one from ``memory://``.

        Raises:
            ConfigurationError: *url* says anything more.
        """
        if url != "memory://":
            raise ConfigurationError(
                "the memory telemetry takes no path and no options; write memory://"
            )
        return cls(clock, identifiers)

    def span(self, name: str, attributes: Mapping[str, Attribute] | None = None) -> "_OpenSpan":
        """Open a span."""
        return _OpenSpan(self, name, attributes)

    async def flush(self) -> None:
        """Do nothing: nothing is waiting."""


class _OpenSpan:
    """A span that can be entered once; whatever else is done to it changes nothing."""

    def __init__(
        self, telemetry: MemoryTelemetry, name: str, attributes: Mapping[str, Attribute] | None
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
        telemetry.spans.append(
            FinishedSpan(
                name=self._name,
                trace_id=self._trace_id,
                span_id=self._span_id,
                parent_id=self._parent._span_id if self._parent else "",
                start=self._start,
                duration=timedelta(seconds=telemetry._clock.monotonic() - self._started),
                attributes=dict(self._attributes),
                error=error.__name__ if error else "",
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
