"""Embed: vectors, metered like everything else."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.asked_models import answer
from tests.application.virtual_time import LoopClock, in_virtual_time
from tests.application.world import World, open_world
from tollkeeper import Principal
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.adapters.memory.embedder import MemoryEmbedder
from tollkeeper.domain.attempts import Outcome, Settlement
from tollkeeper.domain.embeddings import Embeddings
from tollkeeper.domain.errors import (
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PortError,
    Timeout,
    Unavailable,
    Unsupported,
)
from tollkeeper.domain.meters import Meter, Provenance

TEXTS = ("one two", "three")
VECTORS = ((1.0, 0.0), (0.0, 1.0))


def found(tokens: int | None) -> Embeddings:
    return Embeddings(VECTORS, tokens, "m")


def broken(**about: Any) -> PortError:
    return Unavailable("down", port="embedder", adapter="test", **about)


async def embed(world: World, model: str = "tokens/m", **options: Any) -> Embeddings:
    options = {"texts": TEXTS, **options}
    return await world.tk.embed(world.principal, model=model, **options)


@in_virtual_time
async def test_what_the_provider_counted_is_charged(tmp_path: Path) -> None:
    embedder = MemoryEmbedder(found(6))
    async with open_world(tmp_path, clock=LoopClock(), embedders={"tokens": embedder}) as world:
        answered = await embed(world, dimensions=None, user=None, extra=None)
        assert answered.vectors == VECTORS
        assert (answered.provider, answered.provenance) == ("tokens", Provenance.REPORTED)
        assert answered.receipt is not None
        assert answered.receipt.charged.amount == "0.000006"
        assert answered.receipt.held > answered.receipt.charged
        assert answered.receipt.quantities == {Meter.REQUESTS: 1, Meter.INPUT_TOKENS: 6}
        [attempt] = answered.attempts
        assert (attempt.outcome, attempt.settlement) == (Outcome.ANSWERED, Settlement.CHARGED)
        assert await world.tk.list_attempts(account="acme") == answered.attempts
        assert await world.balance() == ("0.999994", "0.00")


@in_virtual_time
@pytest.mark.parametrize("tokens", [None, 10**30], ids=["silent", "absurd"])
async def test_a_provider_that_does_not_say_is_charged_by_a_flagged_estimate(
    tmp_path: Path, tokens: int | None
) -> None:
    embedder = MemoryEmbedder(found(tokens))
    async with open_world(tmp_path, clock=LoopClock(), embedders={"tokens": embedder}) as world:
        answered = await embed(world)
        assert answered.provenance is Provenance.ESTIMATED
        assert answered.input_tokens == 3
        assert answered.attempts[0].provenance is Provenance.ESTIMATED
        assert (await world.balance())[1] == "0.00"


@in_virtual_time
async def test_only_the_fallbacks_of_the_call_are_asked(tmp_path: Path) -> None:
    down = MemoryEmbedder(broken(ambiguous=True))
    embedders = {"tokens": down, "spare": MemoryEmbedder(found(6))}
    options = {"tries": 1, "fallbacks": {"tokens/*": ("spare/m",)}}
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), embedders=embedders
    ) as world:
        with pytest.raises(Unavailable):
            await embed(world)
        assert await world.balance() == ("1.00", "0.00")
        answered = await embed(world, fallbacks=["spare/other", "tokens/m", "spare/other"])
        assert answered.provider == "spare"
        assert answered.receipt is not None
        assert answered.receipt.charged.amount == "0.00006"
        assert [each.settlement for each in answered.attempts] == [
            Settlement.WRITTEN_OFF,
            Settlement.CHARGED,
        ]
        assert embedders["spare"].requests[0].model == "other"


@in_virtual_time
async def test_a_model_of_the_catalogue_must_be_able_to_embed(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.toml"
    file.write_text(
        '[[models]]\nid = "tokens/talker"\n'
        '[[models]]\nid = "tokens/maker"\naliases = ["vectors"]\ncapabilities = ["embeddings"]\n'
    )
    embedder = MemoryEmbedder(found(6))
    async with open_world(
        tmp_path,
        options={"catalogue": str(file)},
        clock=LoopClock(),
        embedders={"tokens": embedder},
    ) as world:
        with pytest.raises(Unsupported) as caught:
            await embed(world, "tokens/talker")
        assert caught.value.code == "unsupported_capability"
        await embed(world, "vectors")
        assert embedder.requests[0].model == "maker"


@in_virtual_time
async def test_a_replay_gets_the_first_vectors_and_is_charged_once(tmp_path: Path) -> None:
    embedder = MemoryEmbedder(broken(), found(6))
    async with open_world(tmp_path, clock=LoopClock(), embedders={"tokens": embedder}) as world:
        first = await embed(world, idempotency_key="once")
        assert await embed(world, idempotency_key="once") == first
        assert len(first.attempts) == 2
        assert len(embedder.requests) == 2
        with pytest.raises(IdempotencyConflict):
            await embed(world, idempotency_key="once", texts=["other"])
        assert await world.balance() == ("0.999994", "0.00")


@in_virtual_time
async def test_a_provider_that_is_too_slow_is_a_timeout_and_costs_nothing(tmp_path: Path) -> None:
    async def never(_: object) -> Embeddings:
        await asyncio.Event().wait()
        raise AssertionError

    embedder = MemoryEmbedder(never)
    async with open_world(tmp_path, clock=LoopClock(), embedders={"tokens": embedder}) as world:
        with pytest.raises(Timeout) as caught:
            await embed(world, timeout=timedelta(seconds=5))
        assert caught.value.port == "embedder"
        [attempt] = await world.tk.list_attempts(account="acme")
        assert (attempt.error, attempt.settlement) == ("timeout", Settlement.WRITTEN_OFF)
        assert await world.balance() == ("1.00", "0.00")


@in_virtual_time
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"texts": []}, InvalidRequest),
        ({"texts": [""]}, InvalidRequest),
        ({"texts": 5}, InvalidRequest),
        ({"dimensions": 0}, InvalidRequest),
        ({"timeout": 5}, InvalidRequest),
        ({"dimension": 8}, InvalidRequest),
        ({"temperature": 1}, InvalidRequest),
        ({"hedge_after": 5}, InvalidRequest),
        ({"hedge_after": timedelta(seconds=-1)}, InvalidRequest),
        ({"fallbacks": ["nobody/m"]}, NotFound),
        ({"credentials": "sk"}, InvalidRequest),
        ({"most_cost": "1"}, InvalidRequest),
        ({"model": "nobody/m"}, NotFound),
        ({"model": "unpriced/m"}, Unsupported),
    ],
    ids=str,
)
async def test_bad_input_is_a_typed_error_and_changes_nothing(
    tmp_path: Path, wrong: dict[str, Any], error: type[Exception]
) -> None:
    embedders = {"tokens": MemoryEmbedder(), "unpriced": MemoryEmbedder()}
    async with open_world(tmp_path, clock=LoopClock(), embedders=embedders) as world:
        with pytest.raises(error):
            await embed(world, **wrong)
        assert await world.balance() == ("1.00", "0.00")
        assert embedders["tokens"].requests == []


@in_virtual_time
async def test_embedding_needs_its_own_scope(tmp_path: Path) -> None:
    async with open_world(
        tmp_path,
        clock=LoopClock(),
        embedders={"tokens": MemoryEmbedder()},
        chat_models={"tokens": MemoryChatModel(answer())},
    ) as world:
        talker = Principal("acme", frozenset({"chat:complete"}))
        with pytest.raises(PermissionDenied):
            await world.tk.embed(talker, model="tokens/m", texts=TEXTS)
