"""Streams: what the last piece says, what a broken one leaves, and what is recorded of it."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.asked_models import USAGE, answer, ask, failing, streamed
from tests.application.unsteady_ledger import UnsteadyLedger
from tests.application.virtual_time import LoopClock, in_virtual_time
from tests.application.world import open_world
from tollkeeper import Delta, FinishReason
from tollkeeper.adapters.memory.chat_model import Item, MemoryChatModel
from tollkeeper.domain.attempts import Billed, Outcome, Settlement
from tollkeeper.domain.completions import ToolCallDelta
from tollkeeper.domain.errors import Conflict, CorruptResponse, PortError, Timeout, Unavailable
from tollkeeper.domain.meters import Provenance

SECOND = timedelta(seconds=1)
HALF_A_CALL = Delta(tool_calls=(ToolCallDelta(0, "call-1", "weather", '{"city": "Os'),))


def _broken(*more: Item) -> list[Item]:
    return [Delta(text="one "), HALF_A_CALL, *more]


@in_virtual_time
async def test_the_last_piece_says_the_usage_and_that_the_provider_reported_it(
    tmp_path: Path,
) -> None:
    model = MemoryChatModel(answer())
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        deltas = [delta async for delta in streamed(world)]
        assert (deltas[-1].usage, deltas[-1].provenance) == (USAGE, Provenance.REPORTED)
        assert [delta.provenance for delta in deltas[:-1]] == [None]


@in_virtual_time
async def test_an_estimate_is_marked_in_the_piece_the_receipt_and_the_record(
    tmp_path: Path,
) -> None:
    model = MemoryChatModel(answer(usage=None))
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        stream = streamed(world)
        deltas = [delta async for delta in stream]
        assert deltas[-1].usage is not None
        assert deltas[-1].provenance is Provenance.ESTIMATED
        assert stream.partial.provenance is Provenance.ESTIMATED
        assert stream.receipt is not None
        assert stream.receipt.provenance is Provenance.ESTIMATED
        [attempt] = stream.partial.attempts
        assert (attempt.outcome, attempt.billed) == (Outcome.ANSWERED, Billed.YES)
        assert attempt.provenance is Provenance.ESTIMATED
        assert attempt.cost == stream.receipt.charged


@in_virtual_time
@pytest.mark.parametrize("reported", [True, False], ids=["reported", "silent"])
async def test_what_breaks_keeps_the_text_the_tool_calls_and_the_usage(
    tmp_path: Path, reported: bool
) -> None:
    usage = [Delta(usage=USAGE)] if reported else []
    model = MemoryChatModel(_broken(*usage, *failing(ambiguous=True)), answer())
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        stream = streamed(world)
        with pytest.raises(Unavailable) as caught:
            await stream.completion()
        partial = caught.value.partial
        assert partial == stream.partial
        assert (partial.text, partial.tool_calls[0].arguments) == ("one ", '{"city": "Os')
        assert partial.finish_reason is None
        assert (partial.usage == USAGE) is reported
        assert partial.receipt is not None
        [attempt] = partial.attempts
        assert (attempt.outcome, attempt.error) == (Outcome.FAILED, "unavailable")
        assert attempt.billed is (Billed.YES if reported else Billed.UNKNOWN)
        assert attempt.settlement is Settlement.CHARGED
        assert partial.receipt.charged == attempt.cost
        assert len(model.requests) == 1


@in_virtual_time
async def test_a_clean_end_before_the_terminal_piece_is_an_error_that_names_who_answered(
    tmp_path: Path,
) -> None:
    class Cut(MemoryChatModel):
        async def stream(self, *_: object, **__: object):  # type: ignore[no-untyped-def]
            yield Delta(text="one ")

    models = {"tokens": MemoryChatModel(failing()), "spare": Cut()}
    options = {"tries": 1}
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models=models
    ) as world:
        with pytest.raises(CorruptResponse) as caught:
            await streamed(world, fallbacks=["spare/m"]).completion()
        assert caught.value.adapter == "spare"
        assert caught.value.partial.text == "one "
        assert caught.value.partial.attempts[-1].settlement is Settlement.CHARGED


@in_virtual_time
async def test_a_stream_that_falls_silent_names_who_did(tmp_path: Path) -> None:
    silent = MemoryChatModel([Delta(text="one "), asyncio.Event().wait])
    models = {"tokens": MemoryChatModel(failing()), "spare": silent}
    options = {"tries": 1}
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models=models
    ) as world:
        stream = streamed(world, fallbacks=["spare/m"], timeout=SECOND * 5)
        with pytest.raises(Timeout) as caught:
            await stream.completion()
        assert caught.value.adapter == "spare"
        assert caught.value.partial.text == "one "
        assert stream.first_after == timedelta(0)
        assert stream.partial.attempts[-1].error == "timeout"
        assert len(silent.abandoned) == 1


@in_virtual_time
async def test_usage_that_came_before_the_failure_is_written_off_as_reported(
    tmp_path: Path,
) -> None:
    model = MemoryChatModel([Delta(usage=USAGE), *failing(CorruptResponse)])
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        with pytest.raises(PortError):
            await streamed(world).completion()
        [attempt] = await world.tk.list_attempts(account="acme")
        assert (attempt.billed, attempt.provenance) == (Billed.YES, Provenance.REPORTED)
        assert attempt.settlement is Settlement.WRITTEN_OFF
        assert attempt.cost.amount == "0.00002"
        assert await world.balance() == ("1.00", "0.00")


@in_virtual_time
async def test_a_fault_of_the_adapter_in_mid_stream_is_recorded_as_one(tmp_path: Path) -> None:
    model = MemoryChatModel(_broken(RuntimeError("a fault")))
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        stream = streamed(world)
        with pytest.raises(RuntimeError, match="a fault"):
            await stream.completion()
        [attempt] = stream.partial.attempts
        assert (attempt.outcome, attempt.error) == (Outcome.FAILED, "adapter_fault")
        assert attempt.settlement is Settlement.CHARGED


@in_virtual_time
async def test_a_stream_that_is_closed_while_it_is_admitted_asks_nobody(tmp_path: Path) -> None:
    model, ledger = MemoryChatModel(answer()), UnsteadyLedger(pauses={"place_hold": 0.05})
    lent: dict[str, Any] = {"chat_models": {"tokens": model}, "ledger": ledger}
    async with open_world(tmp_path, clock=LoopClock(), **lent) as world:
        stream = streamed(world)
        reader = asyncio.ensure_future(anext(stream))
        await ledger.begun.wait()
        await stream.aclose()
        with pytest.raises(Conflict) as caught:
            await reader
        assert caught.value.code == "stream_closed"
        assert model.requests == []
        assert await world.balance() == ("1.00", "0.00")


@in_virtual_time
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_replay_tells_of_the_attempts_of_the_first_time(
    tmp_path: Path, stream: bool
) -> None:
    model = MemoryChatModel(failing(ambiguous=True), answer())
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        found = [
            await (
                streamed(world, idempotency_key="once").completion()
                if stream
                else ask(world, idempotency_key="once")
            )
            for _ in range(2)
        ]
        assert len(found[0].attempts) == 2
        assert found[0].finish_reason is FinishReason.STOP
        assert found[0] == found[1]
        assert len(model.requests) == 2
