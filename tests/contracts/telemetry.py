"""The contract of :class:`tollkeeper.ports.telemetry.Telemetry`."""

import asyncio
import contextvars
from collections.abc import Iterator, Mapping
from enum import IntEnum, StrEnum
from typing import Any

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.ports.telemetry import Telemetry


class _Colour(StrEnum):
    RED = "red"


class _Number(IntEnum):
    ONE = 1


class _Mute:
    def __repr__(self) -> str:
        raise RuntimeError("this must not be shown")

    __str__ = __repr__


class _BrokenMapping(Mapping[str, Any]):
    def __repr__(self) -> str:
        return "broken"

    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 3


ODD_VALUES: tuple[Any, ...] = (
    None,
    b"bytes",
    float("nan"),
    float("-inf"),
    10**5000,
    -(2**70),
    "lone \ud800 surrogate",
    "line\nbreak\u2028\0",
    "long" * 100_000,
    _Colour.RED,
    _Number.ONE,
    ["list"],
    {"a": {"mapping"}},
    _Mute(),
    ValueError("odd"),
)


class TelemetryContract(Contract):
    """What all telemetry promises, whatever becomes of the spans. Fixture: ``telemetry``."""

    async def test_spans_nest(self, telemetry: Telemetry) -> None:
        with telemetry.span("outer", {"model": "offline/echo"}) as outer:
            outer.set("tokens", 3)
            with telemetry.span("inner") as inner:
                inner.set("hit", value=True)
        await telemetry.flush()

    async def test_an_exception_goes_on_unchanged(self, telemetry: Telemetry) -> None:
        error = ValueError("as it was")
        with (
            pytest.raises(ValueError, match="as it was") as caught,
            telemetry.span("outer"),
            telemetry.span("inner"),
        ):
            raise error
        assert caught.value is error
        assert error.__cause__ is None
        assert error.__context__ is None

    async def test_cancellation_goes_on_unchanged(self, telemetry: Telemetry) -> None:
        async def work() -> None:
            with telemetry.span("work"):
                await asyncio.sleep(60)

        task = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    @pytest.mark.parametrize("value", ODD_VALUES, ids=lambda value: type(value).__name__)
    async def test_odd_values_disturb_nobody(self, telemetry: Telemetry, value: Any) -> None:
        with telemetry.span("odd", {"value": value}) as span:
            span.set("again", value)
        await telemetry.flush()

    @pytest.mark.parametrize("name", [None, 3, "", "\ud800", "n" * 10_000, ["list"], _Mute()])
    async def test_odd_names_disturb_nobody(self, telemetry: Telemetry, name: Any) -> None:
        with telemetry.span(name) as span:
            span.set(name, 1)
        await telemetry.flush()

    @pytest.mark.parametrize("attributes", [{}, 3, "text", [1], {3: 4}, _BrokenMapping()], ids=str)
    async def test_odd_attributes_disturb_nobody(
        self, telemetry: Telemetry, attributes: Any
    ) -> None:
        with telemetry.span("odd", attributes):
            pass
        await telemetry.flush()

    async def test_what_is_set_too_early_or_too_late_disturbs_nobody(
        self, telemetry: Telemetry
    ) -> None:
        with telemetry.span("span") as span:
            pass
        span.set("late", 1)
        await telemetry.flush()
        span.set("later", 2)

    async def test_a_span_used_twice_disturbs_nobody(self, telemetry: Telemetry) -> None:
        span = telemetry.span("twice")
        with span, telemetry.span("inner"), span:
            pass
        with span:
            pass
        with telemetry.span("after"):
            pass

    async def test_a_span_may_end_in_another_context_than_it_began_in(
        self, telemetry: Telemetry
    ) -> None:
        span = telemetry.span("wanders")
        contextvars.copy_context().run(span.__enter__)
        contextvars.copy_context().run(span.__exit__, None, None, None)

    async def test_many_spans_at_once_disturb_nobody(self, telemetry: Telemetry) -> None:
        async def work(number: int) -> int:
            with telemetry.span("work", {"number": number}):
                await asyncio.sleep(0)
                return number

        assert await asyncio.gather(*(work(n) for n in range(500))) == list(range(500))
        await asyncio.gather(*(telemetry.flush() for _ in range(10)))

    async def test_a_caller_who_leaves_a_flush_breaks_nothing(self, telemetry: Telemetry) -> None:
        for _ in range(10):
            with telemetry.span("span"):
                pass
            task = asyncio.ensure_future(telemetry.flush())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await telemetry.flush()
