"""Retries: when the same model is asked again, and how long that waits."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from tests.application.asked_models import answer, ask, failing, limited, streamed
from tests.application.virtual_time import LoopClock, in_virtual_time
from tests.application.world import open_world
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.domain.attempts import Billed, Outcome, Settlement
from tollkeeper.domain.errors import (
    CredentialsRefused,
    PoolExhausted,
    PortError,
    Rejected,
    Throttled,
    Timeout,
    Unavailable,
)

SECOND = timedelta(seconds=1)
STEADY = {"retry_pause": timedelta(0), "longest_retry_pause": timedelta(0)}


def _now() -> float:
    return asyncio.get_running_loop().time()


@in_virtual_time
async def test_what_fails_is_asked_again_and_the_answer_says_how_often(tmp_path: Path) -> None:
    model = MemoryChatModel(failing(), failing(ambiguous=True), answer())
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        found = await ask(world)
        assert found.text == "General Kenobi"
        outcomes = [(each.outcome, each.billed, each.settlement) for each in found.attempts]
        assert outcomes == [
            (Outcome.FAILED, Billed.NO, Settlement.NOTHING),
            (Outcome.FAILED, Billed.UNKNOWN, Settlement.WRITTEN_OFF),
            (Outcome.ANSWERED, Billed.YES, Settlement.CHARGED),
        ]
        assert found.receipt is not None
        assert found.attempts[-1].cost == found.receipt.charged
        assert await world.tk.list_attempts(account="acme") == found.attempts
        assert await world.balance() == ("0.99998", "0.00")


@in_virtual_time
async def test_what_the_provider_asks_for_is_waited_for(tmp_path: Path) -> None:
    model = MemoryChatModel(limited(30), answer())
    async with open_world(
        tmp_path, options=STEADY, clock=LoopClock(), chat_models={"tokens": model}
    ) as world:
        began = _now()
        await ask(world)
        assert _now() - began == 30


@in_virtual_time
async def test_a_wait_beyond_the_deadline_is_not_begun(tmp_path: Path) -> None:
    model = MemoryChatModel(limited(3600), answer())
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        began = _now()
        with pytest.raises(Throttled) as caught:
            await ask(world)
        assert caught.value.retry_after == timedelta(hours=1)
        assert _now() == began
        assert len(model.requests) == 1


@in_virtual_time
async def test_pauses_are_spread_over_the_whole_of_their_bound(tmp_path: Path) -> None:
    options = {"tries": 2, "retry_pause": SECOND * 8, "breaker_failures": 1000}
    waits = []
    model = MemoryChatModel(*([failing(), answer()] * 200))
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models={"tokens": model}
    ) as world:
        world.tk.complete.asking.chance.seed(3)
        for _ in range(200):
            began = _now()
            await ask(world)
            waits.append(_now() - began)
    assert min(waits) < 0.4
    assert max(waits) > 7.6
    assert 3.4 < sum(waits) / len(waits) < 4.6
    assert max(waits) <= 8


@in_virtual_time
@pytest.mark.parametrize("kind", [Rejected, CredentialsRefused], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_what_a_retry_cannot_mend_is_not_retried(
    tmp_path: Path, kind: type[PortError], stream: bool
) -> None:
    model = MemoryChatModel(failing(kind, status=400), answer())
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        with pytest.raises(kind):
            await (streamed(world).completion() if stream else ask(world))
        assert len(model.requests) == 1
        assert await world.balance() == ("1.00", "0.00")


@in_virtual_time
async def test_an_attempt_that_takes_too_long_is_left_for_the_next(tmp_path: Path) -> None:
    slow = MemoryChatModel([asyncio.Event().wait, *answer()])
    spare = MemoryChatModel(answer("from the spare"))
    options = {"attempt_timeout": SECOND * 5, "tries": 1, "fallbacks": {"tokens/m": ("spare/m",)}}
    models = {"tokens": slow, "spare": spare}
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models=models
    ) as world:
        began = _now()
        found = await ask(world)
        assert (found.text, found.provider, _now() - began) == ("from the spare", "spare", 5)
        first = found.attempts[0]
        assert (first.outcome, first.error, first.billed) == ("failed", "timeout", "unknown")
        assert first.lasted == SECOND * 5
        assert len(slow.abandoned) == 1


@in_virtual_time
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_what_the_deadline_cuts_off_is_the_providers_timeout(
    tmp_path: Path, stream: bool
) -> None:
    model = MemoryChatModel([asyncio.Event().wait])
    options = {"breaker_failures": 1}
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models={"tokens": model}
    ) as world:
        with pytest.raises(Timeout) as caught:
            await (
                streamed(world, timeout=SECOND).completion()
                if stream
                else ask(world, timeout=SECOND)
            )
        assert caught.value.ambiguous
        [attempt] = await world.tk.list_attempts(account="acme")
        assert (attempt.outcome, attempt.error) == (Outcome.FAILED, "timeout")
        with pytest.raises(Unavailable) as again:
            await ask(world)
        assert again.value.code == "circuit_open"


@in_virtual_time
async def test_no_more_calls_are_under_way_than_the_limit(tmp_path: Path) -> None:
    running, most = 0, 0

    async def busy() -> None:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(10)
        running -= 1

    model = MemoryChatModel([busy, *answer()])
    options = {"concurrency": {"tokens": 3}, "chat_models": {"tokens": "offline://"}}
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models={"tokens": model}
    ) as world:
        began = _now()
        await asyncio.gather(*(ask(world) for _ in range(9)))
        assert (most, _now() - began) == (3, 30)
        late = asyncio.gather(
            *(ask(world, timeout=SECOND * 15) for _ in range(6)), return_exceptions=True
        )
        kinds = Counter(type(each) for each in await late)
        assert kinds[Timeout] + kinds[PoolExhausted] == 3
        assert await world.balance() == ("0.99976", "0.00")
