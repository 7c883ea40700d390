"""Closing a facade, and stopping streams from elsewhere: what came is charged."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.application.counting_model import CountingModel
from tests.application.test_stream_completion import PlayingModel
from tests.application.world import World, open_world
from tollkeeper import CompletionStream, Delta, TokenUsage, user
from tollkeeper.domain.errors import Conflict, Timeout, Unsupported

pytestmark = pytest.mark.anyio


def _stream(world: World, **options: object) -> CompletionStream:
    return world.tk.stream_completion(
        world.principal,
        model="tokens/m",
        messages=[user("Hello there")],
        **options,  # type: ignore[arg-type]
    )


async def _read(stream: CompletionStream) -> list[Delta]:
    return [delta async for delta in stream]


async def test_streams_that_are_being_read_are_charged_when_the_facade_closes(
    tmp_path: Path,
) -> None:
    store = f"sqlite:///{tmp_path}/ledger.db"
    model = PlayingModel(stall_after=2)
    async with open_world(tmp_path, store=store, chat_models={"tokens": model}) as world:
        streams = [_stream(world) for _ in range(5)]
        readers = [asyncio.ensure_future(_read(stream)) for stream in streams]
        await asyncio.sleep(0.1)
    results = await asyncio.gather(*readers, return_exceptions=True)

    assert [getattr(result, "code", "") for result in results] == ["stream_closed"] * 5
    assert all(stream.receipt is not None for stream in streams)
    assert model.closed == 5
    async with open_world(tmp_path, store=store, chat_models={"tokens": model}) as world:
        posted, held = await world.balance()
        assert posted < "1.00"
        assert held == "0.00"


async def test_cancelling_the_host_while_it_closes_leaves_no_stream_unpaid(tmp_path: Path) -> None:
    model = PlayingModel()
    streams: list[CompletionStream] = []
    opened = asyncio.Event()
    store = f"sqlite:///{tmp_path}/ledger.db"

    async def host() -> None:
        async with open_world(tmp_path, store=store, chat_models={"tokens": model}) as world:
            for _ in range(5):
                streams.append(_stream(world))
                await anext(streams[-1])
            opened.set()

    task = asyncio.ensure_future(host())
    await opened.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert all(stream.receipt is not None for stream in streams)


async def test_no_call_is_admitted_once_the_facade_closes(tmp_path: Path) -> None:
    model = CountingModel(usage=TokenUsage(input=1))
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        pass
    with pytest.raises(Conflict) as caught:
        await world.tk.complete(world.principal, model="tokens/m", messages=[user("hi")])
    assert caught.value.code == "facade_closed"
    assert model.asked == 0


async def test_another_task_may_close_a_stream_that_is_being_read(tmp_path: Path) -> None:
    model = PlayingModel(stall_after=1)
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        stream = _stream(world)
        reader = asyncio.ensure_future(_read(stream))
        await asyncio.sleep(0.05)
        await stream.aclose()
        with pytest.raises(Conflict):
            await reader
        assert stream.receipt is not None
        assert model.closed == 1
        assert (await world.balance())[1] == "0.00"


async def test_a_reader_who_dawdles_past_the_deadline_is_charged_at_the_deadline(
    tmp_path: Path,
) -> None:
    model = PlayingModel()
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        stream = _stream(world, timeout=timedelta(milliseconds=50), idempotency_key="once")
        await anext(stream)
        await asyncio.sleep(0.15)
        assert stream.receipt is not None
        assert model.closed == 1
        charged = await world.balance()
        with pytest.raises(Timeout):
            await anext(stream)
        assert await world.balance() == charged
        assert charged[1] == "0.00"


async def test_a_report_of_absurd_usage_is_charged_by_an_estimate(tmp_path: Path) -> None:
    model = CountingModel(usage=TokenUsage(input=10**30))
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        answer = await world.tk.complete(world.principal, model="tokens/m", messages=[user("hi")])
        assert answer.receipt is not None
        assert answer.receipt.provenance == "estimated"
        assert (await world.balance())[1] == "0.00"


async def test_work_whose_meters_have_no_price_is_refused(tmp_path: Path) -> None:
    async with open_world(tmp_path, chat_models={"sound": CountingModel()}) as world:
        with pytest.raises(Unsupported) as caught:
            await world.tk.complete(world.principal, model="sound/m", messages=[user("hi")])
        assert caught.value.code == "model_unpriced"
        with pytest.raises(Unsupported):
            await world.tk.charge_usage(
                account="acme",
                model="tokens/m",
                operation="agent:run",
                quantities={"audio_milliseconds": 5},
                idempotency_key="k",
            )
