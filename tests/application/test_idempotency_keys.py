"""Calls under an idempotency key: made again only while nothing was charged."""

import asyncio
from pathlib import Path

import pytest

from tests.application.counting_model import CountingModel
from tests.application.world import open_world
from tollkeeper import Completion, TokenUsage, user
from tollkeeper.domain.errors import Conflict, IdempotencyConflict, Rejected

pytestmark = pytest.mark.anyio
HELLO = (user("Hello there"),)


async def test_a_replay_gets_the_first_answer_and_is_charged_once(tmp_path: Path) -> None:
    model = CountingModel(usage=TokenUsage(input=10, output=5))
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:

        async def ask() -> Completion:
            return await world.tk.complete(
                world.principal, model="tokens/m", messages=HELLO, idempotency_key="once"
            )

        first, again = await ask(), await ask()
        assert again == first
        assert model.asked == 1
        assert (await world.balance())[0] == "0.99998"

        stream = world.tk.stream_completion(
            world.principal, model="tokens/m", messages=HELLO, idempotency_key="once"
        )
        assert (await stream.completion()).text == first.text
        assert stream.receipt == first.receipt
        assert model.asked == 1


async def test_the_same_key_for_another_call_is_a_conflict(tmp_path: Path) -> None:
    model = CountingModel(usage=TokenUsage(input=10, output=5))
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        await world.tk.complete(
            world.principal, model="tokens/m", messages=HELLO, idempotency_key="once"
        )
        with pytest.raises(IdempotencyConflict):
            await world.tk.complete(
                world.principal,
                model="tokens/m",
                messages=[user("Jello there")],
                idempotency_key="once",
            )
        assert model.asked == 1


async def test_a_failed_try_may_be_made_again_under_its_key(tmp_path: Path) -> None:
    model = CountingModel(
        usage=TokenUsage(input=1), error=Rejected("no", port="chat_model", adapter="test")
    )
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        for _ in range(2):
            with pytest.raises(Rejected):
                await world.tk.complete(
                    world.principal, model="tokens/m", messages=HELLO, idempotency_key="once"
                )
        model.error = None
        answer = await world.tk.complete(
            world.principal, model="tokens/m", messages=HELLO, idempotency_key="once"
        )
        assert answer.receipt is not None
        assert model.asked == 3
        assert await world.balance() == ("0.999999", "0.00")


async def test_of_two_at_once_under_one_key_one_is_made(tmp_path: Path) -> None:
    model = CountingModel(usage=TokenUsage(input=1), wait=0.01)
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        results = await asyncio.gather(
            *(
                world.tk.complete(
                    world.principal, model="tokens/m", messages=HELLO, idempotency_key="once"
                )
                for _ in range(10)
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(result, Completion) for result in results) == 1
        conflicts = [result for result in results if isinstance(result, Conflict)]
        assert {conflict.code for conflict in conflicts} == {"call_in_progress"}
        assert len(conflicts) == 9
        assert model.asked == 1


async def test_an_answer_no_longer_kept_is_said_and_not_made_again(tmp_path: Path) -> None:
    model = CountingModel(usage=TokenUsage(input=1))
    store = f"sqlite:///{tmp_path}/ledger.db"
    for round_ in range(2):
        # A second facade stands for a restart: the cache in memory is gone, the ledger is not.
        async with open_world(tmp_path, store=store, chat_models={"tokens": model}) as world:
            ask = world.tk.complete(
                world.principal, model="tokens/m", messages=HELLO, idempotency_key="once"
            )
            if round_ == 0:
                await ask
                continue
            with pytest.raises(Conflict) as caught:
                await ask
            assert caught.value.code == "already_charged"
            assert model.asked == 1
            assert await world.balance() == ("0.999999", "0.00")
