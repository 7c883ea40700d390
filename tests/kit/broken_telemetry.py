"""Telemetry, each with one fault."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from attrs import evolve

from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers
from tollkeeper.adapters.memory.telemetry import FinishedSpan, MemoryTelemetry, _OpenSpan
from tollkeeper.contracts.recorded_telemetry import RecordedSpan

Attributes = Mapping[str, Any] | None


class SoundTelemetry(MemoryTelemetry):
    def __init__(self) -> None:
        super().__init__(MemoryClock(), MemoryIdentifiers())

    def read(self) -> list[RecordedSpan]:
        return [
            RecordedSpan(s.name, s.trace_id, s.span_id, s.parent_id, s.attributes, s.error)
            for s in self.spans
        ]

    def change(self, how: Callable[[FinishedSpan], FinishedSpan]) -> None:
        if self.spans:
            self.spans.append(how(self.spans.pop()))


class _Wrapped:
    """A span that a faulty telemetry may do something to when it ends."""

    def __init__(self, inner: _OpenSpan, ended: Callable[[tuple[Any, ...]], bool | None]) -> None:
        self._inner, self._ended = inner, ended

    def __enter__(self) -> _OpenSpan:
        return self._inner.__enter__()

    def __exit__(self, *error: Any) -> bool | None:
        self._inner.__exit__(*error)
        return self._ended(error)


class _ChangesTheEnd(SoundTelemetry):
    def span(self, name: str, attributes: Attributes = None) -> Any:
        return _Wrapped(super().span(name, attributes), self.ended)

    def ended(self, error: tuple[Any, ...]) -> bool | None:
        raise NotImplementedError


class Swallows(_ChangesTheEnd):
    def ended(self, error: tuple[Any, ...]) -> bool | None:
        return True


class WrapsErrors(_ChangesTheEnd):
    def ended(self, error: tuple[Any, ...]) -> bool | None:
        if error[0] is not None:
            raise RuntimeError("a span failed") from error[1]
        return None


class ForgetsErrors(_ChangesTheEnd):
    def ended(self, error: tuple[Any, ...]) -> bool | None:
        self.change(lambda span: evolve(span, error=""))
        return None


class TellsTheText(_ChangesTheEnd):
    def ended(self, error: tuple[Any, ...]) -> bool | None:
        self.change(lambda span: evolve(span, error=str(error[1] or "")))
        return None


class ForgetsParents(_ChangesTheEnd):
    def ended(self, error: tuple[Any, ...]) -> bool | None:
        self.change(lambda span: evolve(span, parent_id=""))
        return None


class OneTraceForAll(_ChangesTheEnd):
    def ended(self, error: tuple[Any, ...]) -> bool | None:
        self.change(lambda span: evolve(span, trace_id="trace"))
        return None


class StrictJson(_ChangesTheEnd):
    def ended(self, error: tuple[Any, ...]) -> bool | None:
        json.dumps(dict(self.spans[-1].attributes), allow_nan=False).encode()
        return None


class DropsWhatItCannotWrite(_ChangesTheEnd):
    def ended(self, error: tuple[Any, ...]) -> bool | None:
        try:
            json.dumps(dict(self.spans[-1].attributes), allow_nan=False)
        except (TypeError, ValueError):
            self.spans.pop()
        return None


class TextNamesOnly(SoundTelemetry):
    def span(self, name: str, attributes: Attributes = None) -> Any:
        return super().span(name.strip(), attributes)


class MappingsOnly(SoundTelemetry):
    def span(self, name: str, attributes: Attributes = None) -> Any:
        return super().span(name, {key.strip(): attributes[key] for key in attributes or {}})  # type: ignore[index]


class FirstValueStays(SoundTelemetry):
    def span(self, name: str, attributes: Attributes = None) -> Any:
        span: Any = super().span(name, attributes)
        set_now = span.set
        span.set = lambda key, value: None if key in span._attributes else set_now(key, value)
        return span


class KeepsAtTheStart(SoundTelemetry):
    def span(self, name: str, attributes: Attributes = None) -> Any:
        with super().span(name, attributes):
            pass
        return contextlib.nullcontext(super().span(name, attributes))


class OneStackForAllTasks(SoundTelemetry):
    """Keeps the open spans in a list, for all tasks."""

    def __init__(self) -> None:
        super().__init__()
        self._stack: list[str] = []

    @contextlib.contextmanager
    def span(self, name: str, attributes: Attributes = None) -> Iterator[Any]:  # type: ignore[override]
        parent = self._stack[-1] if self._stack else ""
        inner = super().span(name, attributes)
        try:
            with inner:
                self._stack.append(inner._span_id)
                yield inner
        finally:
            self._stack.pop()
            self.change(lambda span: evolve(span, parent_id=parent))


_SHARED: ContextVar[Any] = ContextVar("open_span", default=None)


class SharedContext(SoundTelemetry):
    def __init__(self) -> None:
        super().__init__()
        self._current = _SHARED


class InsistsOnItsContext(SoundTelemetry):
    """Takes back what it put into the context, which another context refuses."""

    def span(self, name: str, attributes: Attributes = None) -> Any:
        inner = super().span(name, attributes)
        tokens: list[Any] = []
        enter, leave = inner.__enter__, inner.__exit__

        class Span:
            def __enter__(_) -> Any:  # noqa: N805
                tokens.append(self._current.set(self._current.get()))
                return enter()

            def __exit__(_, *error: Any) -> None:  # noqa: N805
                leave(*error)
                self._current.reset(tokens.pop())

        return Span()


class EndsOnlyItself(SoundTelemetry):
    """Goes back to the parent it began with, even if that has ended."""

    @contextlib.contextmanager
    def span(self, name: str, attributes: Attributes = None) -> Iterator[Any]:  # type: ignore[override]
        before = self._current.get()
        try:
            with super().span(name, attributes) as inner:
                if before is not None:
                    inner._parent = before
                yield inner
        finally:
            self._current.set(before)


class FlushFailsWhenNothingWaits(SoundTelemetry):
    async def flush(self) -> None:
        self.spans[-1]


class SetFailsWhenOver(SoundTelemetry):
    def span(self, name: str, attributes: Attributes = None) -> Any:
        span: Any = super().span(name, attributes)
        set_now = span.set

        def set_(key: str, value: Any) -> None:
            if span._span_id and not span._open:
                raise RuntimeError("the span is over")
            set_now(key, value)

        span.set = set_
        return span


class UsedOnce(SoundTelemetry):
    @contextlib.contextmanager
    def span(self, name: str, attributes: Attributes = None) -> Iterator[Any]:  # type: ignore[override]
        with super().span(name, attributes) as span:
            yield span
