"""When the ledger is slow or fails: nothing is charged twice, nothing paid for is lost."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.counting_model import CountingModel
from tests.application.test_transcribe import EchoTranscriber
from tests.application.unsteady_ledger import UnsteadyLedger
from tests.application.world import World, open_world
from tollkeeper import TokenUsage, user
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.domain.attempts import Billed, Settlement
from tollkeeper.domain.errors import PortError, Unavailable

pytestmark = pytest.mark.anyio
USAGE = TokenUsage(input=10, output=5)
Work = Callable[[World], Coroutine[Any, Any, object]]


async def _complete(world: World) -> object:
    return await world.tk.complete(world.principal, model="tokens/m", messages=[user("hi")])


async def _stream(world: World) -> object:
    stream = world.tk.stream_completion(world.principal, model="tokens/m", messages=[user("hi")])
    return await stream.completion()


async def _transcribe(world: World) -> object:
    return await world.tk.transcribe(world.principal, model="sound/en", audio=b"a" * 2)


async def _charge(world: World) -> object:
    return await world.tk.charge_usage(
        account="acme",
        model="tokens/m",
        operation="agent:run",
        quantities={"input_tokens": 10, "output_tokens": 5},
        idempotency_key="run",
    )


EVERY_WORK = pytest.mark.parametrize(
    "work", [_complete, _stream, _transcribe, _charge], ids=lambda work: work.__name__
)


def _lent(ledger: UnsteadyLedger, model: CountingModel | None = None) -> dict[str, Any]:
    return {
        "ledger": ledger,
        "usage_log": ledger.store.usage_log,
        "chat_models": {"tokens": model or CountingModel(usage=USAGE)},
        "transcribers": {"sound": EchoTranscriber()},
    }


@EVERY_WORK
@pytest.mark.parametrize("failure", ["before", "after"])
async def test_a_capture_is_tried_again_and_charges_once(
    tmp_path: Path, work: Work, failure: str
) -> None:
    ledger = UnsteadyLedger(failures={"capture": [failure, failure]})
    async with open_world(tmp_path, **_lent(ledger)) as world:
        await work(world)
        assert ledger.calls["capture"] == 3
        assert await world.balance() == ("0.99998", "0.00")
        assert len(await world.tk.list_entries(account="acme")) == 2


@EVERY_WORK
async def test_a_capture_that_goes_on_failing_is_an_error_and_the_clock_frees_the_hold(
    tmp_path: Path, work: Work
) -> None:
    clock = MemoryClock()
    ledger = UnsteadyLedger(failures={"capture": ["before"] * 4})
    async with open_world(tmp_path, clock=clock, **_lent(ledger)) as world:
        with pytest.raises(Unavailable):
            await work(world)
        assert (await world.balance())[1] != "0.00"
        clock.advance(timedelta(minutes=10))
        await world.tk.expire_holds()
        assert await world.balance() == ("1.00", "0.00")


@pytest.mark.parametrize("ends", ["in time", "at closing"])
@pytest.mark.parametrize("failure", ["before", "after"])
async def test_a_completion_whose_charge_failed_is_written_off_unless_it_was_charged(
    tmp_path: Path, failure: str, ends: str
) -> None:
    ledger = UnsteadyLedger(failures={"capture": [failure, *["before"] * 3], "release": ["before"]})
    lent = {**_lent(ledger), "attempt_log": ledger.store.attempt_log}
    async with open_world(tmp_path, **lent) as world:
        with pytest.raises(Unavailable) as caught:
            await _complete(world)
        told = [attempt.settlement for attempt in caught.value.attempts]
        charged = failure == "after"
        settlement = Settlement.CHARGED if charged else Settlement.WRITTEN_OFF
        assert told == [settlement]
        assert caught.value.ambiguous == charged, "the first try counts as much as the last"
        if ends == "in time":
            async with asyncio.timeout(10):
                while world.tk.complete.chat_calls.metered_calls.owed:
                    await asyncio.sleep(0.05)
        else:
            ledger.failures.clear()
    [attempt] = await ledger.store.attempt_log.attempts(account="acme")
    assert attempt.settlement is settlement
    assert (attempt.billed, attempt.cost.amount) == (Billed.YES, "0.00002")
    balance = await ledger.store.ledger.balance(account="acme", currency="USD")
    assert (balance.posted.amount, balance.held.nanos) == ("0.99998" if charged else "1.00", 0)


async def test_a_release_that_fails_hides_no_other_error(tmp_path: Path) -> None:
    theirs = Unavailable("the provider is down", port="chat_model", adapter="test")
    ledger = UnsteadyLedger(failures={"release": ["before"]})
    lent = _lent(ledger, CountingModel(error=theirs))
    async with open_world(tmp_path, **lent) as world:
        with pytest.raises(PortError) as caught:
            await _complete(world)
        assert caught.value is theirs


@EVERY_WORK
async def test_a_hold_that_cannot_be_placed_is_an_error_and_no_call(
    tmp_path: Path, work: Work
) -> None:
    model = CountingModel(usage=USAGE)
    ledger = UnsteadyLedger(failures={"place_hold": ["before"]})
    async with open_world(tmp_path, **_lent(ledger, model)) as world:
        with pytest.raises(Unavailable):
            await work(world)
        assert model.asked == 0
        assert await world.balance() == ("1.00", "0.00")


@EVERY_WORK
async def test_a_hold_that_may_have_been_placed_is_asked_for_again(
    tmp_path: Path, work: Work
) -> None:
    ledger = UnsteadyLedger(failures={"place_hold": ["after", "after"]})
    async with open_world(tmp_path, **_lent(ledger)) as world:
        await work(world)
        assert ledger.calls["place_hold"] == 3
        assert await world.balance() == ("0.99998", "0.00")


LANDING = pytest.mark.parametrize(
    "lands_after", [None, 0.0, 0.2], ids=["is-lost", "lands-before", "lands-last"]
)
"""What becomes of the ledger's call that was under way: the next one comes within 0.1 s."""


async def _cancel_when_begun(ledger: UnsteadyLedger, call: "asyncio.Task[object]") -> None:
    await ledger.begun.wait()
    for _ in range(3):
        call.cancel()
        await asyncio.sleep(0.005)
    with pytest.raises(asyncio.CancelledError):
        await call


@LANDING
@EVERY_WORK
async def test_a_cancellation_waits_for_the_capture(
    tmp_path: Path, work: Work, lands_after: float | None
) -> None:
    ledger = UnsteadyLedger(pauses={"capture": 0.05}, lands_after=lands_after)
    async with open_world(tmp_path, **_lent(ledger)) as world:
        await _cancel_when_begun(ledger, asyncio.ensure_future(work(world)))
        assert await world.balance() == ("0.99998", "0.00")
        await asyncio.gather(*ledger.late)
        assert await world.balance() == ("0.99998", "0.00")


async def test_a_cancellation_waits_for_the_release(tmp_path: Path) -> None:
    theirs = Unavailable("the provider is down", port="chat_model", adapter="test")
    ledger = UnsteadyLedger(pauses={"release": 0.05})
    lent = _lent(ledger, CountingModel(error=theirs))
    async with open_world(tmp_path, **lent) as world:
        await _cancel_when_begun(ledger, asyncio.ensure_future(_complete(world)))
        assert await world.balance() == ("1.00", "0.00")


@LANDING
@pytest.mark.parametrize("work", [_complete, _stream, _transcribe], ids=lambda work: work.__name__)
async def test_a_cancellation_while_the_hold_is_placed_gives_it_back(
    tmp_path: Path, work: Work, lands_after: float | None
) -> None:
    ledger = UnsteadyLedger(pauses={"place_hold": 0.05}, lands_after=lands_after)
    async with open_world(tmp_path, **_lent(ledger)) as world:
        await _cancel_when_begun(ledger, asyncio.ensure_future(work(world)))
        assert await world.balance() == ("1.00", "0.00")
        await asyncio.gather(*ledger.late)
        assert await world.balance() == ("1.00", "0.00")


@LANDING
@pytest.mark.parametrize("step", ["place_hold", "capture"])
async def test_cancelling_a_charge_loses_and_doubles_nothing(
    tmp_path: Path, step: str, lands_after: float | None
) -> None:
    ledger = UnsteadyLedger(pauses={step: 0.02}, lands_after=lands_after)
    async with open_world(tmp_path, **_lent(ledger)) as world:
        await _cancel_when_begun(ledger, asyncio.ensure_future(_charge(world)))
        assert await world.balance() == ("0.99998", "0.00")
        await asyncio.gather(*ledger.late)
        assert await world.balance() == ("0.99998", "0.00")
        await _charge(world)
        assert await world.balance() == ("0.99998", "0.00")


async def test_a_delivered_stream_is_charged_when_the_ledger_is_back(tmp_path: Path) -> None:
    ledger = UnsteadyLedger(failures={"capture": ["before"] * 4})
    async with open_world(tmp_path, **_lent(ledger)) as world:
        with pytest.raises(Unavailable):
            await _stream(world)
        assert (await world.balance())[0] == "1.00"
    balance = await ledger.balance(account="acme", currency="USD")
    assert (balance.posted.amount, balance.held.amount) == ("0.99998", "0.00")


async def test_a_hold_whose_ledger_hangs_while_giving_it_back_hides_no_error(
    tmp_path: Path,
) -> None:
    theirs = Unavailable("the provider is down", port="chat_model", adapter="test")
    ledger = UnsteadyLedger(failures={"release": ["before"] * 3})
    async with open_world(tmp_path, **_lent(ledger, CountingModel(error=theirs))) as world:
        with pytest.raises(PortError) as caught:
            await _stream(world)
        assert caught.value is theirs


async def test_closing_the_facade_lets_calls_finish(tmp_path: Path) -> None:
    ledger = UnsteadyLedger()
    model = CountingModel(usage=USAGE, wait=0.1)
    async with open_world(tmp_path, **_lent(ledger, model)) as world:
        call = asyncio.ensure_future(_complete(world))
        while not model.asked:
            await asyncio.sleep(0)
    assert call.done() or not world.tk.complete.chat_calls.metered_calls.open
    await call
    balance = await ledger.balance(account="acme", currency="USD")
    assert (balance.posted.amount, balance.held.amount) == ("0.99998", "0.00")


async def test_an_answer_is_kept_even_if_its_caller_was_cancelled_while_it_was_charged(
    tmp_path: Path,
) -> None:
    ledger = UnsteadyLedger(pauses={"capture": 0.05})
    model = CountingModel(usage=USAGE)
    async with open_world(tmp_path, **_lent(ledger, model)) as world:

        async def ask() -> object:
            return await world.tk.complete(
                world.principal, model="tokens/m", messages=[user("hi")], idempotency_key="once"
            )

        await _cancel_when_begun(ledger, asyncio.ensure_future(ask()))
        answer = await ask()
        assert getattr(answer, "text", "") == "General Kenobi"
        assert model.asked == 1
