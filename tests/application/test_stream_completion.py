"""StreamCompletion: a stream that ends early is charged for what came."""

import asyncio
import gc
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from attrs import define, field

from tests.application.world import World, open_world
from tollkeeper import CompletionStream, Delta, FinishReason, TokenUsage, user
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import Completion
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import Timeout, Unavailable
from tollkeeper.domain.meters import Meter, Provenance

pytestmark = pytest.mark.anyio
HELLO = (user("Hello there"),)
WORDS = ("one two ", "three four ", "five six ")
DELTAS = (
    *(Delta(text=word) for word in WORDS),
    Delta(finish_reason=FinishReason.STOP),
    Delta(usage=TokenUsage(input=10, output=5)),
)


@define
class PlayingModel:
    """Plays deltas, may break or stall after some, and counts streams closed."""

    deltas: tuple[Delta, ...] = DELTAS
    break_after: int | None = None
    stall_after: int | None = None
    closed: int = field(default=0, init=False)

    async def complete(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> Completion:
        raise AssertionError("only streams are asked for here")

    async def stream(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncIterator[Delta]:
        try:
            for number, delta in enumerate(self.deltas):
                if number == self.break_after:
                    raise Unavailable("broke off", port="chat_model", adapter="t", ambiguous=True)
                if number == self.stall_after:
                    await asyncio.sleep(60)
                yield delta
        finally:
            self.closed += 1


def _stream(world: World, **options: object) -> CompletionStream:
    return world.tk.stream_completion(
        world.principal,
        model="tokens/m",
        messages=HELLO,
        **options,  # type: ignore[arg-type]
    )


def _expected(texts: int) -> str:
    """What is left of a dollar after 3 estimated tokens in and *texts* pieces out."""
    said = sum(len(word) for word in WORDS[:texts])
    return f"{1 - 0.000003 - 0.000002 * -(-said // 4):.6f}"


async def test_a_whole_stream_is_charged_as_reported(tmp_path: Path) -> None:
    model = PlayingModel()
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        stream = _stream(world)
        text = "".join([delta.text async for delta in stream])

        assert text == "".join(WORDS)
        assert stream.receipt is not None
        assert stream.receipt.provenance is Provenance.REPORTED
        assert stream.partial.finish_reason is FinishReason.STOP
        assert await world.balance() == ("0.99998", "0.00")
        assert model.closed == 1


@pytest.mark.parametrize("pieces", range(1, 4))
async def test_leaving_after_each_piece_charges_what_came(tmp_path: Path, pieces: int) -> None:
    model = PlayingModel()
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        async with _stream(world) as stream:
            for _ in range(pieces):
                await anext(stream)

        assert stream.receipt is not None
        assert stream.receipt.provenance is Provenance.ESTIMATED
        assert await world.balance() == (_expected(pieces), "0.00")
        assert model.closed == 1


async def test_leaving_after_the_usage_came_charges_exactly(tmp_path: Path) -> None:
    async with open_world(tmp_path, chat_models={"tokens": PlayingModel()}) as world:
        async with _stream(world) as stream:
            for _ in DELTAS:
                await anext(stream)
        assert stream.receipt is not None
        assert stream.receipt.provenance is Provenance.REPORTED
        assert await world.balance() == ("0.99998", "0.00")


async def test_a_stream_that_is_never_read_makes_no_call(tmp_path: Path) -> None:
    model = PlayingModel()
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        async with _stream(world) as stream:
            pass
        assert stream.receipt is None
        assert model.closed == 0
        assert len(await world.tk.list_entries(account="acme")) == 1


async def test_breaking_out_of_the_loop_is_enough(tmp_path: Path) -> None:
    model = PlayingModel()
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        async for _ in _stream(world):
            break
        gc.collect()
        while not model.closed or (await world.balance())[1] != "0.00":
            await asyncio.sleep(0)
        assert await world.balance() == (_expected(1), "0.00")


async def test_a_stream_left_open_is_charged_when_the_facade_closes(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/ledger.db"
    model = PlayingModel()
    async with open_world(tmp_path, store=store, chat_models={"tokens": model}) as world:
        stream = _stream(world)
        await anext(stream)
    assert model.closed == 1
    assert stream.receipt is not None
    async with open_world(tmp_path, store=store, chat_models={"tokens": model}) as world:
        assert await world.balance() == (_expected(1), "0.00")


@pytest.mark.parametrize("pieces", range(4))
async def test_a_provider_that_breaks_off_is_charged_for_what_came(
    tmp_path: Path, pieces: int
) -> None:
    model = PlayingModel(break_after=pieces)
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        stream = _stream(world)
        with pytest.raises(Unavailable):
            await stream.completion()

        assert stream.partial.text == "".join(WORDS[:pieces])
        assert (stream.receipt is None) == (pieces == 0)
        assert await world.balance() == ("1.00" if pieces == 0 else _expected(pieces), "0.00")


@pytest.mark.parametrize("pieces", range(3))
async def test_a_provider_that_falls_silent_is_a_timeout(tmp_path: Path, pieces: int) -> None:
    model = PlayingModel(stall_after=pieces)
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        stream = _stream(world, timeout=timedelta(milliseconds=30))
        with pytest.raises(Timeout):
            await stream.completion()
        assert await world.balance() == ("1.00" if pieces == 0 else _expected(pieces), "0.00")
        assert model.closed == 1


@pytest.mark.parametrize("pieces", range(3))
@pytest.mark.parametrize("by", ["asyncio", "anyio"])
async def test_a_cancelled_reader_is_charged_for_what_came(
    tmp_path: Path, pieces: int, by: str
) -> None:
    model = PlayingModel(stall_after=pieces)
    store = f"sqlite:///{tmp_path}/ledger.db"
    async with open_world(tmp_path, store=store, chat_models={"tokens": model}) as world:
        seen = 0

        async def read() -> None:
            nonlocal seen
            async for _ in _stream(world):
                seen += 1

        if by == "anyio":
            with anyio.move_on_after(0.05):
                await read()
        else:
            task = asyncio.ensure_future(read())
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        assert seen == pieces
        assert model.closed == 1
        assert await world.balance() == ("1.00" if pieces == 0 else _expected(pieces), "0.00")


async def test_the_pieces_may_be_asked_for_by_different_tasks(tmp_path: Path) -> None:
    async with open_world(tmp_path, chat_models={"tokens": PlayingModel()}) as world:
        stream = _stream(world)
        texts = []
        try:
            while True:
                piece = await asyncio.ensure_future(_next(stream))
                texts.append(piece.text)
        except StopAsyncIteration:
            pass
        assert "".join(texts) == "".join(WORDS)
        assert stream.receipt is not None
        assert stream.receipt.quantities[Meter.OUTPUT_TOKENS] == 5


async def _next(stream: CompletionStream) -> Delta:
    return await anext(stream)
