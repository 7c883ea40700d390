"""The contract of telemetry whose spans can be read back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest
from attrs import frozen

from tollkeeper.contracts.telemetry import ODD_VALUES, TelemetryContract
from tollkeeper.ports.telemetry import Telemetry


@frozen
class RecordedSpan:
    """A finished span as a suite's fixture reads it back; *parent_id* and *error* may be empty."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: Mapping[str, object]
    error: str


Recorded = Callable[[], Awaitable[list[RecordedSpan]]]


class RecordedTelemetryContract(TelemetryContract):
    """What telemetry promises that keeps every span it takes, where it can be read back.

    Fixtures: ``telemetry`` and ``other_telemetry``, and for each an async callable that looks
    behind it and returns its finished spans in the order in which they ended: ``recorded`` and
    ``other_recorded``.
    """

    async def test_a_span_is_kept_when_it_ends(
        self, telemetry: Telemetry, recorded: Recorded
    ) -> None:
        with telemetry.span("complete", {"model": "offline/echo", "tokens": 1}) as span:
            await telemetry.flush()
            assert await recorded() == []
            span.set("tokens", 2)
            span.set("cost", 0.5)
            span.set("hit", value=True)
        await telemetry.flush()
        (kept,) = await recorded()
        assert kept.name == "complete"
        assert kept.attributes == {
            "model": "offline/echo",
            "tokens": 2,
            "cost": 0.5,
            "hit": True,
        }
        assert kept.trace_id
        assert kept.span_id
        assert (kept.parent_id, kept.error) == ("", "")

    async def test_a_span_is_the_child_of_the_one_around_it(
        self, telemetry: Telemetry, recorded: Recorded
    ) -> None:
        with telemetry.span("root"):
            with telemetry.span("child"), telemetry.span("grandchild"):
                pass
            with telemetry.span("sibling"):
                pass
        with telemetry.span("stranger"):
            pass
        await telemetry.flush()
        spans = {span.name: span for span in await recorded()}
        assert list(spans) == ["grandchild", "child", "sibling", "root", "stranger"]
        root = spans["root"]
        assert spans["child"].parent_id == spans["sibling"].parent_id == root.span_id
        assert spans["grandchild"].parent_id == spans["child"].span_id
        assert root.parent_id == spans["stranger"].parent_id == ""
        family = [spans[name] for name in ("root", "child", "grandchild", "sibling")]
        assert {span.trace_id for span in family} == {root.trace_id}
        assert spans["stranger"].trace_id != root.trace_id
        assert len({span.span_id for span in spans.values()}) == 5

    async def test_tasks_keep_their_own_parents(
        self, telemetry: Telemetry, recorded: Recorded
    ) -> None:
        async def work(number: int) -> None:
            with telemetry.span("outer", {"number": number}):
                await asyncio.sleep(0.001 * (number % 3))
                with telemetry.span("inner", {"number": number}):
                    await asyncio.sleep(0.001 * (number % 2))

        with telemetry.span("root"):
            await asyncio.gather(*(work(number) for number in range(50)))
        await telemetry.flush()
        spans = await recorded()
        (root,) = [span for span in spans if span.name == "root"]
        outer = {s.attributes["number"]: s for s in spans if s.name == "outer"}
        inner = {s.attributes["number"]: s for s in spans if s.name == "inner"}
        assert len(outer) == len(inner) == 50
        assert all(span.parent_id == root.span_id for span in outer.values())
        assert all(span.parent_id == outer[number].span_id for number, span in inner.items())

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, asyncio.CancelledError])
    async def test_an_exception_marks_the_spans_that_it_leaves(
        self, telemetry: Telemetry, recorded: Recorded, error: type[BaseException]
    ) -> None:
        with telemetry.span("outer"), pytest.raises(error), telemetry.span("inner"):
            raise error("a secret")
        await telemetry.flush()
        assert [(s.name, s.error) for s in await recorded()] == [
            ("inner", error.__name__),
            ("outer", ""),
        ]
        assert "a secret" not in str(await recorded())

    async def test_two_instances_in_one_task_never_meet(
        self,
        telemetry: Telemetry,
        other_telemetry: Telemetry,
        recorded: Recorded,
        other_recorded: Recorded,
    ) -> None:
        with (
            telemetry.span("ours"),
            other_telemetry.span("theirs"),
            telemetry.span("our child"),
            other_telemetry.span("their child"),
        ):
            pass
        await telemetry.flush()
        await other_telemetry.flush()
        child, ours = await recorded()
        their_child, theirs = await other_recorded()
        assert (child.name, ours.name) == ("our child", "ours")
        assert (their_child.name, theirs.name) == ("their child", "theirs")
        assert child.parent_id == ours.span_id
        assert their_child.parent_id == theirs.span_id
        assert theirs.parent_id == ours.parent_id == ""
        assert ours.trace_id != theirs.trace_id

    async def test_a_span_that_ends_out_of_turn_leaves_the_others_in_order(
        self, telemetry: Telemetry, recorded: Recorded
    ) -> None:
        async def stream() -> AsyncIterator[int]:
            with telemetry.span("stream"):
                yield 1
                yield 2

        with telemetry.span("root"):
            pieces = stream()
            await anext(pieces)
            with telemetry.span("reader"):
                async for _ in pieces:
                    pass
            with telemetry.span("after"):
                pass
        with telemetry.span("later"):
            pass
        await telemetry.flush()
        spans = {span.name: span for span in await recorded()}
        assert list(spans) == ["stream", "reader", "after", "root", "later"]
        root = spans["root"].span_id
        assert spans["stream"].parent_id == spans["after"].parent_id == root
        assert spans["later"].parent_id == ""

    async def test_one_odd_value_does_not_lose_the_span(
        self, telemetry: Telemetry, recorded: Recorded
    ) -> None:
        for value in ODD_VALUES:
            with telemetry.span("odd", {"good": 1}) as span:
                span.set("odd", value)
        await telemetry.flush()
        assert [span.attributes["good"] for span in await recorded()] == [1] * len(ODD_VALUES)
