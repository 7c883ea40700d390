"""The contract of wire formats: streams flow, end once, and let go of the provider."""

import asyncio
import time
import tracemalloc

import pytest

from tollkeeper.contracts.chat_calls import added_up, closed, next_of, within
from tollkeeper.contracts.chat_wire_suite import IMPATIENT, Caller, ChatWireSuite, asking
from tollkeeper.contracts.chat_wire_upstream import Spoken, Upstream
from tollkeeper.domain.completions import Delta
from tollkeeper.domain.errors import TollkeeperError

TEXT = Spoken(text=("alpha ", "beta ", "gamma ", "omega"))
TEN_THOUSAND = 10_000
THOUSAND = 1_000
PATIENCE = 40 * IMPATIENT
_KEPT_AT_MOST = 1_200_000
"""Bytes: what may lie in buffers on both ends, and less than two thousand events take."""


class ChatWireStreams(ChatWireSuite):
    """What is particular to answers in pieces."""

    async def test_pieces_are_given_when_they_come(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        k = next(k for k in range(99) if upstream.text_within(TEXT, k).endswith("gamma "))
        model = upstream.play("breaks", TEXT, ending="stall", k=k)
        stream = caller.chat_model.stream(asking(model))
        said = ""
        while not said.endswith("gamma "):
            delta = await next_of(PATIENCE, stream)
            assert delta is not None
            said += delta.text
        await closed(stream)

    async def test_each_piece_of_text_is_a_delta_of_its_own(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        deltas = await caller.deltas(asking(upstream.play("answered", TEXT)))
        assert [delta.text for delta in deltas if delta.text] == list(TEXT.text)

    async def test_a_stream_has_one_reason_and_nothing_is_said_after_it(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        spoken = Spoken(text=("one ", "two"), reasoning=("Hm. ", "So."), signature="c2lnbmVk")
        deltas = await caller.deltas(asking(upstream.play("answered", spoken)))
        ends = [place for place, delta in enumerate(deltas) if delta.finish_reason]
        assert len(ends) == 1
        assert not any(d.text or d.reasoning or d.tool_calls for d in deltas[ends[0] + 1 :])

    async def test_a_stream_adds_up_to_the_whole_answer(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        spoken = Spoken(
            text=("one ", "two"),
            reasoning=("Hm. ", "So."),
            signature="c2lnbmVk",
            logprobs=(("one ", -0.5), ("two", -0.25)),
        )
        model = upstream.play("answered", spoken)
        whole = await caller.ask(asking(model), streamed=False)
        streamed = await caller.ask(asking(model), streamed=True)
        for name in ("text", "reasoning", "finish_reason", "usage", "model", "logprobs"):
            assert getattr(streamed, name) == getattr(whole, name), name
        assert streamed.thoughts == whole.thoughts

    async def test_ten_thousand_chunks_are_read(self, caller: Caller, upstream: Upstream) -> None:
        pieces = tuple(f"{number} " for number in range(TEN_THOUSAND))
        spoken = Spoken(text=pieces)
        answer = await caller.ask(asking(upstream.play("answered", spoken)), streamed=True)
        same = answer.text == "".join(pieces)
        assert same, f"{len(answer.text)} characters came"
        assert answer.usage == upstream.heard(spoken).usage

    async def test_a_thousand_events_in_one_packet_are_read(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        pieces = tuple(f"{number} " for number in range(THOUSAND))
        model = upstream.play("one_packet", Spoken(text=pieces))
        deltas = await caller.deltas(asking(model))
        assert [delta.text for delta in deltas if delta.text] == list(pieces)

    async def test_a_long_stream_is_not_kept_in_memory(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        pieces = tuple(f"{number} " for number in range(3 * THOUSAND))
        stream = caller.chat_model.stream(asking(upstream.play("answered", Spoken(text=pieces))))
        for _ in range(THOUSAND // 2):  # whatever is loaded at first is loaded now
            await anext(stream)
        tracemalloc.start(1)
        try:
            for _ in range(2 * THOUSAND):
                await anext(stream)
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        await closed(stream)
        assert kept < _KEPT_AT_MOST

    async def test_a_steady_stream_may_last_longer_than_its_idle_timeout(
        self, impatient: Caller, upstream: Upstream
    ) -> None:
        spoken = Spoken(text=tuple(f"{number} " for number in range(12)))
        model = upstream.play("steady", spoken, gap=IMPATIENT.total_seconds() / 8)
        began = time.monotonic()
        answer = await impatient.ask(asking(model), streamed=True)
        assert answer.text == spoken.whole_text
        assert time.monotonic() - began > IMPATIENT.total_seconds()

    @pytest.mark.parametrize("after", [1, 2, 3])
    async def test_closing_a_stream_closes_the_connection_to_the_provider(
        self, caller: Caller, upstream: Upstream, after: int
    ) -> None:
        model = upstream.play("breaks", TEXT, ending="stall", k=upstream.events(TEXT) - 2)
        stream = caller.chat_model.stream(asking(model))
        for _ in range(after):
            assert await next_of(PATIENCE, stream) is not None
        await within(PATIENCE, closed(stream))
        assert await upstream.left(model)
        assert (await caller.ask(asking(upstream.echo), streamed=True)).text

    async def test_leaving_the_loop_over_a_stream_and_closing_it_lets_the_provider_go(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        model = upstream.play("breaks", TEXT, ending="stall", k=upstream.events(TEXT) - 2)
        stream = caller.chat_model.stream(asking(model))
        async for delta in stream:
            if delta.text:
                break
        await within(PATIENCE, closed(stream))
        assert await upstream.left(model)

    async def test_cancelling_a_stream_closes_the_connection_to_the_provider(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        model = upstream.play("breaks", TEXT, ending="stall", k=upstream.events(TEXT) - 2)
        came = asyncio.Event()

        async def read() -> None:
            async for delta in caller.chat_model.stream(asking(model)):
                if delta.text:
                    came.set()

        await self._cancelled(read(), came)
        assert await upstream.left(model)
        assert (await caller.ask(asking(upstream.echo), streamed=True)).text

    @pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
    async def test_cancelling_before_the_head_closes_the_connection_to_the_provider(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        model = upstream.play("at_once", ending="stall")
        task = asyncio.ensure_future(caller.ask(asking(model), streamed=streamed))
        while not upstream.count and not task.done():
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE.total_seconds())
        assert task.cancelled()
        assert await upstream.left(model)
        assert (await caller.ask(asking(upstream.echo), streamed=streamed)).text

    async def test_cancelling_a_whole_answer_on_its_way_closes_the_connection(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        model = upstream.play("breaks", TEXT, ending="stall")
        task = asyncio.ensure_future(caller.chat_model.complete(asking(model)))
        while not upstream.count and not task.done():
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)  # half of the body is there now, or will be
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE.total_seconds())
        assert task.cancelled()
        assert await upstream.left(model)

    async def test_a_stream_may_be_read_by_one_task_after_the_other(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        stream = caller.chat_model.stream(asking(upstream.play("answered", TEXT)))
        deltas: list[Delta] = []
        while (
            delta := await asyncio.create_task(next_of(PATIENCE, stream))  # a task for each
        ) is not None:
            deltas.append(delta)
        assert added_up(deltas).text == TEXT.whole_text

    async def test_a_stream_that_was_read_to_its_end_stays_at_its_end(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        stream = caller.chat_model.stream(asking(upstream.echo))
        assert [delta async for delta in stream]
        assert [delta async for delta in stream] == []
        await closed(stream)
        assert upstream.count == 1

    async def test_a_stream_that_failed_stays_at_its_end(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        stream = caller.chat_model.stream(asking(upstream.play("failing", kind="overloaded")))
        with pytest.raises(TollkeeperError):
            await anext(stream)
        assert [delta async for delta in stream] == []
        assert upstream.count == 1

    async def _cancelled(self, work: object, came: asyncio.Event) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        await within(PATIENCE, came.wait())
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE.total_seconds())
        assert task.cancelled()
