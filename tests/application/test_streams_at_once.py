"""Streams that ask the same at the same time: the first asks, the others get its answer."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.asked_models import USAGE, KeyedModel, answer, ask, failing, streamed
from tests.application.streams_at_once import (
    begun,
    ended,
    flights,
    hits,
    open_keeping,
    read,
    slowly,
    words,
)
from tests.application.virtual_time import in_virtual_time
from tests.application.world import EVERYTHING, World, open_world
from tests.servers.counting_server import counting_server
from tollkeeper import Completion, Delta, FinishReason, Money, Principal, Secret
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.domain.errors import (
    IdempotencyConflict,
    TollkeeperError,
)

SECOND = timedelta(seconds=1)


@in_virtual_time
async def test_two_hundred_streams_at_once_make_one_request_and_one_charge(tmp_path: Path) -> None:
    model = MemoryChatModel(words())
    async with open_keeping(tmp_path, model) as world:
        found = await asyncio.gather(*(read(world) for _ in range(200)))
        assert len(model.requests) == 1
        assert Counter(each.cached for each in found) == {True: 199, False: 1}
        assert {each.text for each in found} == {"one two three"}
        charged = Counter(each.receipt.charged.nanos for each in found if each.receipt)
        assert charged == {0: 199, 20_000: 1}
        assert await world.balance() == ("0.99998", "0.00")
        assert await hits(world) == 199
        assert flights(world) == 0


@pytest.mark.anyio
async def test_two_hundred_streams_over_http_make_one_request(tmp_path: Path) -> None:
    with counting_server() as server:
        async with open_world(
            tmp_path,
            options={
                "response_ttl": timedelta(hours=1),
                "chat_models": {"tokens": f"openai+{server.base_url}"},
                "api_keys": {"tokens": Secret("sk-a")},
            },
        ) as world:
            reads = [
                streamed(world, "tokens/stream-22-20").completion()
                if number % 4
                else ask(world, "tokens/stream-22-20")
                for number in range(1, 201)
            ]
            found = await asyncio.gather(*reads)
            assert sum(server.seen().values()) == 1
            assert sum(each.cached for each in found) == 199
            assert len({each.text for each in found}) == 1
            assert sum(bool(each.receipt and each.receipt.charged.nanos) for each in found) == 1
            assert await hits(world) == 199


@in_virtual_time
async def test_the_first_streams_live_while_the_others_wait(tmp_path: Path) -> None:
    async with open_keeping(tmp_path, MemoryChatModel(words())) as world:
        loop = asyncio.get_running_loop()
        stream = streamed(world)
        first = await anext(stream)
        assert (first.text, loop.time()) == ("one ", 1)
        [other] = begun(read(world))
        await asyncio.sleep(0.5)
        assert not other.done()
        await stream.completion()
        assert (await other).cached
        assert loop.time() == 3.5


@in_virtual_time
@pytest.mark.parametrize("streams_first", [True, False])
async def test_streams_and_whole_answers_wait_for_one_another(
    tmp_path: Path, streams_first: bool
) -> None:
    model = MemoryChatModel(words())
    async with open_keeping(tmp_path, model) as world:
        reads: list[Any] = [streamed(world).completion(), ask(world)]
        found = await asyncio.gather(*(reads if streams_first else reversed(reads)))
        assert [each.cached for each in found] == [False, True]
        assert len(model.requests) == 1


@in_virtual_time
async def test_no_account_waits_for_another(tmp_path: Path) -> None:
    model = MemoryChatModel(words())
    async with open_keeping(tmp_path, model) as world:
        rival = World(world.tk, Principal("rival", EVERYTHING))
        await rival.grant("1")
        found = await asyncio.gather(read(world), read(rival))
        assert [each.cached for each in found] == [False, False]
        assert asyncio.get_running_loop().time() == 3


@in_virtual_time
async def test_who_brings_another_key_waits_for_nobody(tmp_path: Path) -> None:
    model = KeyedModel("tokens", words())
    async with open_keeping(tmp_path, model) as world:
        own = await world.tk.bind_credential(provider="tokens", secret=Secret("sk-of-the-tenant"))
        reads = (read(world), read(world, credentials=[own]), read(world, credentials=[own]))
        found = await asyncio.gather(*reads)
        assert [each.cached for each in found] == [False, False, True]


_NOT_KEPT = {
    "fails": failing(),
    "breaks": [slowly(), Delta(text="one "), *failing()],
    "ends early": [slowly(), Delta(text="one ")],
    "is cut off": [slowly(), Delta(text="x"), Delta(finish_reason=FinishReason.LENGTH)],
    "is filtered": [Delta(text="x"), Delta(finish_reason=FinishReason.CONTENT_FILTER)],
    "is refused": [Delta(refusal="no"), Delta(finish_reason=FinishReason.STOP, usage=USAGE)],
    "crashes": [slowly(), RuntimeError("a fault of the adapter's")],
}


@in_virtual_time
@pytest.mark.parametrize("said", list(_NOT_KEPT.values()), ids=list(_NOT_KEPT))
async def test_when_the_first_brings_nothing_to_keep_one_other_asks(
    tmp_path: Path, said: list[Any]
) -> None:
    model = MemoryChatModel([slowly(), *said], words())
    async with open_keeping(tmp_path, model) as world:
        found = await ended(*(read(world) for _ in range(20)))
        assert len(model.requests) == 2
        assert sum(isinstance(each, Completion) and each.cached for each in found) == 18
        assert [each for each in found[1:] if isinstance(each, BaseException)] == []
        assert (await world.balance())[1] == "0.00"
        assert flights(world) == 0


@in_virtual_time
async def test_an_answer_of_the_wrong_form_lets_the_next_ask(tmp_path: Path) -> None:
    model = MemoryChatModel([slowly(), *answer("no json")], [slowly(), *answer("{}")])
    async with open_keeping(tmp_path, model) as world:
        found = await ended(*(read(world, response_format="json") for _ in range(5)))
        assert isinstance(found[0], TollkeeperError)
        assert [isinstance(each, Completion) and each.text for each in found[1:]] == ["{}"] * 4
        assert len(model.requests) == 2


@in_virtual_time
async def test_without_a_ttl_streams_wait_for_nobody(tmp_path: Path) -> None:
    model = MemoryChatModel(words())
    async with open_keeping(tmp_path, model, options={"response_ttl": None}) as world:
        await asyncio.gather(*(read(world) for _ in range(5)))
        assert len(model.requests) == 5
        assert asyncio.get_running_loop().time() == 3


@in_virtual_time
async def test_streams_with_an_idempotency_key_wait_for_nobody(tmp_path: Path) -> None:
    model = MemoryChatModel(words())
    async with open_keeping(tmp_path, model) as world:
        keys: list[dict[str, Any]] = [{"idempotency_key": key} for key in ("a", "b")]
        found = await asyncio.gather(*(read(world, **key) for key in keys))
        assert [each.cached for each in found] == [False, False]
        with pytest.raises(IdempotencyConflict):
            await read(world, **keys[0], seed=1)
        again = await read(world, **keys[0])
        assert again.receipt == found[0].receipt
        assert len(model.requests) == 2


@in_virtual_time
async def test_who_cannot_pay_lets_the_next_ask(tmp_path: Path) -> None:
    model = MemoryChatModel(words())
    async with open_keeping(tmp_path, model, credit="0") as world:
        found = await ended(*(read(world) for _ in range(3)))
        assert {getattr(each, "code", "") for each in found} == {"insufficient_credit"}
        assert flights(world) == 0
        await world.tk.grant_credit(
            account="acme", amount=Money.of("1", "USD"), idempotency_key="g"
        )
        assert not (await read(world)).cached
