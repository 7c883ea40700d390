"""Hedged calls: a second attempt when the first is slow, and what becomes of the loser."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.asked_models import USAGE, answer, ask, failing, streamed
from tests.application.virtual_time import LoopClock, in_virtual_time
from tests.application.world import World, open_world
from tollkeeper import Completion, Delta
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.domain.attempts import Billed, Outcome, Settlement
from tollkeeper.domain.errors import InvalidRequest, Rejected, Timeout, Unavailable
from tollkeeper.domain.meters import Provenance

SECOND = timedelta(seconds=1)


def _after(seconds: float, items: list[Any]) -> list[Any]:
    async def wait() -> None:
        await asyncio.sleep(seconds)

    return [wait, *items]


async def _asked(world: World, stream: bool, **options: Any) -> Completion:
    options = {"hedge_after": SECOND, "fallbacks": ["spare/m"], **options}
    return await (streamed(world, **options).completion() if stream else ask(world, **options))


@in_virtual_time
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_the_faster_answer_is_taken_and_the_slower_is_left_and_recorded(
    tmp_path: Path, stream: bool
) -> None:
    slow = MemoryChatModel(_after(60, answer("slow")))
    fast = MemoryChatModel(_after(2, answer("fast")))
    models = {"tokens": slow, "spare": fast}
    async with open_world(tmp_path, clock=LoopClock(), chat_models=models) as world:
        began = asyncio.get_running_loop().time()
        found = await _asked(world, stream)
        assert found.text == "fast"
        assert asyncio.get_running_loop().time() - began == 3
        assert len(slow.abandoned) == 1
        loser, winner = found.attempts
        assert (loser.outcome, loser.billed, loser.settlement) == (
            Outcome.ABANDONED,
            Billed.UNKNOWN,
            Settlement.WRITTEN_OFF,
        )
        assert (winner.outcome, winner.settlement) == (Outcome.ANSWERED, Settlement.CHARGED)
        assert await world.balance() == ("0.9998", "0.00")


@in_virtual_time
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_quick_answer_is_not_hedged(tmp_path: Path, stream: bool) -> None:
    models = {"tokens": MemoryChatModel(answer()), "spare": MemoryChatModel(answer("spare"))}
    async with open_world(tmp_path, clock=LoopClock(), chat_models=models) as world:
        assert len((await _asked(world, stream)).attempts) == 1


@in_virtual_time
async def test_the_only_model_is_asked_a_second_time(tmp_path: Path) -> None:
    model = MemoryChatModel(_after(60, answer("first")), answer("second"))
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        assert (await _asked(world, False, fallbacks=[])).text == "second"


@in_virtual_time
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_two_that_answer_at_once_are_both_accounted_for(tmp_path: Path, stream: bool) -> None:
    models = {
        "tokens": MemoryChatModel(_after(3, answer("first"))),
        "spare": MemoryChatModel(_after(2, answer("second"))),
    }
    async with open_world(tmp_path, clock=LoopClock(), chat_models=models) as world:
        found = await _asked(world, stream)
        settled = sorted(each.settlement for each in found.attempts)
        assert settled == [Settlement.CHARGED, Settlement.WRITTEN_OFF]
        assert (await world.balance())[1] == "0.00"


@in_virtual_time
async def test_what_the_loser_reported_is_written_off_as_reported(tmp_path: Path) -> None:
    # Both say their first word in the same moment, and both have said their usage by then.
    said = [Delta(usage=USAGE), *answer()]
    models = {
        "tokens": MemoryChatModel(_after(3, said)),
        "spare": MemoryChatModel(_after(2, said)),
    }
    async with open_world(tmp_path, clock=LoopClock(), chat_models=models) as world:
        found = await _asked(world, True)
        assert [each.provenance for each in found.attempts] == [Provenance.REPORTED] * 2
        assert [each.billed for each in found.attempts] == [Billed.YES] * 2
        costs = [each.cost.amount for each in found.attempts]
        assert costs == ["0.00002", "0.0002"]


@in_virtual_time
async def test_one_that_fails_leaves_the_other_to_answer(tmp_path: Path) -> None:
    models = {
        "tokens": MemoryChatModel(_after(9, answer("first"))),
        "spare": MemoryChatModel(failing(Rejected, status=400)),
    }
    async with open_world(tmp_path, clock=LoopClock(), chat_models=models) as world:
        assert (await _asked(world, True)).text == "first"


@in_virtual_time
async def test_when_both_fail_the_call_fails(tmp_path: Path) -> None:
    models = {
        "tokens": MemoryChatModel(_after(9, failing())),
        "spare": MemoryChatModel(_after(9, failing())),
    }
    options = {"tries": 1}
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models=models
    ) as world:
        with pytest.raises(Unavailable):
            await _asked(world, False)
        assert len(await world.tk.list_attempts(account="acme")) == 4


@in_virtual_time
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_the_deadline_ends_both(tmp_path: Path, stream: bool) -> None:
    forever = [asyncio.Event().wait]
    models = {"tokens": MemoryChatModel(forever), "spare": MemoryChatModel(forever)}
    async with open_world(tmp_path, clock=LoopClock(), chat_models=models) as world:
        with pytest.raises(Timeout):
            await _asked(world, stream, timeout=SECOND * 5)
        attempts = await world.tk.list_attempts(account="acme")
        assert [each.error for each in attempts] == ["timeout", "timeout"]
        assert [len(model.abandoned) for model in models.values()] == [1, 1]


@in_virtual_time
@pytest.mark.parametrize("seconds", [0.5, 1, 2, 3, 4])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_caller_who_goes_away_at_any_moment_leaves_nothing_behind(
    tmp_path: Path, stream: bool, seconds: float
) -> None:
    models = {
        "tokens": MemoryChatModel(_after(3, answer("first"))),
        "spare": MemoryChatModel(_after(2, answer("second"))),
    }
    options = {
        "concurrency": {"tokens": 1, "spare": 1},
        "chat_models": dict.fromkeys(("tokens", "spare"), "offline://"),
    }
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models=models
    ) as world:
        call = asyncio.ensure_future(_asked(world, stream))
        asyncio.get_running_loop().call_later(seconds, call.cancel)
        await asyncio.wait([call])
        assert (await world.balance())[1] == "0.00"
        requests = sum(len(model.requests) for model in models.values())
        assert len(await world.tk.list_attempts(account="acme")) == requests
        places = world.tk.complete.asking.places
        for provider in models:
            await places.take(provider, within=1, port="chat_model")


@in_virtual_time
@pytest.mark.parametrize("hedge_after", [-SECOND, 5, "soon"], ids=repr)
async def test_when_to_hedge_is_a_duration(tmp_path: Path, hedge_after: Any) -> None:
    model = MemoryChatModel(answer())
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        for stream in (False, True):
            with pytest.raises(InvalidRequest, match="hedge_after"):
                await _asked(world, stream, hedge_after=hedge_after)
        assert model.requests == []
