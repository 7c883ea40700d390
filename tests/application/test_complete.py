"""Complete: what is charged, what is not."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import define, field

from tests.application.world import open_world
from tollkeeper import Completion, Delta, FinishReason, Plan, Principal, RateLimit, TokenUsage, user
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import (
    Conflict,
    IdempotencyConflict,
    InsufficientCredit,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    Timeout,
    TollkeeperError,
    Unavailable,
    Unsupported,
)
from tollkeeper.domain.meters import Meter, Provenance

pytestmark = pytest.mark.anyio
HELLO = (user("Hello there"),)


@define
class CountingModel:
    """Answers in a given way and counts how often it was asked."""

    usage: TokenUsage | None = None
    error: Exception | None = None
    wait: float = 0.0
    asked: int = field(default=0, init=False)
    last: ChatRequest | None = field(default=None, init=False)

    async def complete(self, request: ChatRequest) -> Completion:
        self.asked += 1
        self.last = request
        await asyncio.sleep(self.wait)
        if self.error is not None:
            raise self.error
        return Completion(
            text="General Kenobi", finish_reason=FinishReason.STOP, usage=self.usage, model="m"
        )

    async def stream(self, request: ChatRequest) -> AsyncIterator[Delta]:
        answer = await self.complete(request)
        yield Delta(text=answer.text)
        yield Delta(finish_reason=answer.finish_reason, usage=answer.usage)


async def test_what_the_provider_reports_is_charged_and_the_rest_released(tmp_path: Path) -> None:
    model = CountingModel(usage=TokenUsage(input=10, output=5))
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        answer = await world.tk.complete(world.principal, model="tokens/m", messages=HELLO)

        assert answer.text == "General Kenobi"
        assert answer.receipt is not None
        assert answer.receipt.charged.amount == "0.00002"
        assert answer.receipt.held > answer.receipt.charged
        assert answer.receipt.provenance is Provenance.REPORTED
        assert await world.balance() == ("0.99998", "0.00")


async def test_silent_providers_are_charged_by_a_flagged_estimate(tmp_path: Path) -> None:
    model = CountingModel(usage=None)
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        answer = await world.tk.complete(world.principal, model="tokens/m", messages=HELLO)

        assert answer.receipt is not None
        assert answer.receipt.provenance is Provenance.ESTIMATED
        assert answer.receipt.quantities[Meter.INPUT_TOKENS] == 3
        assert answer.receipt.quantities[Meter.OUTPUT_TOKENS] == 4
        report = await world.tk.report_usage(account="acme")
        estimated = {total.meter: total.estimated for total in report.totals}
        assert estimated[Meter.OUTPUT_TOKENS] == 4


async def test_an_explicit_report_of_zero_is_not_taken_for_silence(tmp_path: Path) -> None:
    model = CountingModel(usage=TokenUsage())
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        answer = await world.tk.complete(world.principal, model="tokens/m", messages=HELLO)
        assert answer.receipt is not None
        assert answer.receipt.provenance is Provenance.REPORTED
        assert answer.receipt.charged.nanos == 0


async def test_max_tokens_is_always_sent(tmp_path: Path) -> None:
    model = CountingModel(usage=TokenUsage())
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        await world.tk.complete(world.principal, model="tokens/m", messages=HELLO)
        assert model.last is not None
        assert model.last.max_tokens == 1024


async def test_a_provider_that_fails_costs_nothing(tmp_path: Path) -> None:
    model = CountingModel(error=Unavailable("down", port="chat_model", adapter="test"))
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        with pytest.raises(Unavailable):
            await world.tk.complete(world.principal, model="tokens/m", messages=HELLO)
        assert await world.balance() == ("1.00", "0.00")


async def test_a_fault_in_an_adapter_leaves_no_hold(tmp_path: Path) -> None:
    model = CountingModel(error=RuntimeError("a fault"))
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        with pytest.raises(RuntimeError, match="a fault"):
            await world.tk.complete(world.principal, model="tokens/m", messages=HELLO)
        assert await world.balance() == ("1.00", "0.00")


async def test_a_provider_that_is_too_slow_is_a_timeout_and_costs_nothing(tmp_path: Path) -> None:
    model = CountingModel(wait=30)
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        with pytest.raises(Timeout) as caught:
            await world.tk.complete(
                world.principal,
                model="tokens/m",
                messages=HELLO,
                timeout=timedelta(milliseconds=20),
            )
        assert caught.value.ambiguous
        assert await world.balance() == ("1.00", "0.00")


async def test_a_cancelled_caller_leaves_no_hold(tmp_path: Path) -> None:
    model = CountingModel(wait=30)
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        call = asyncio.ensure_future(
            world.tk.complete(world.principal, model="tokens/m", messages=HELLO)
        )
        while not model.asked:
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await world.balance() == ("1.00", "0.00")


@pytest.mark.parametrize("steps", range(12))
@pytest.mark.parametrize("scheme", ["memory", "sqlite"])
async def test_cancelling_at_any_step_leaves_the_ledger_right(
    tmp_path: Path, scheme: str, steps: int
) -> None:
    store = "memory://" if scheme == "memory" else f"sqlite:///{tmp_path}/ledger.db"
    async with open_world(tmp_path, store=store) as world:
        call = asyncio.ensure_future(
            world.tk.complete(world.principal, model="offline/echo", messages=HELLO)
        )
        for _ in range(steps):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

        posted, held = await world.balance()
        assert held == "0.00"
        assert posted in ("1.00", "0.99")


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
        usage=TokenUsage(input=1), error=Unavailable("down", port="chat_model", adapter="test")
    )
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        for _ in range(2):
            with pytest.raises(Unavailable):
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


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"model": "echo"}, InvalidRequest),
        ({"model": 5}, InvalidRequest),
        ({"model": "nobody/echo"}, NotFound),
        ({"model": "offline/nothing"}, NotFound),
        ({"messages": []}, InvalidRequest),
        ({"messages": "Hello"}, InvalidRequest),
        ({"messages": None}, InvalidRequest),
        ({"messages": [{"role": "user", "content": "Hello"}]}, InvalidRequest),
        ({"max_tokens": 0}, InvalidRequest),
        ({"max_tokens": "many"}, InvalidRequest),
        ({"temperature": 3}, InvalidRequest),
        ({"temperature": "hot"}, InvalidRequest),
        ({"tools": ["get_weather"]}, InvalidRequest),
        ({"tool_choice": "get_weather"}, InvalidRequest),
        ({"idempotency_key": ""}, InvalidRequest),
        ({"idempotency_key": "line\nbreak"}, InvalidRequest),
        ({"timeout": timedelta(0)}, InvalidRequest),
        ({"timeout": timedelta(days=1)}, InvalidRequest),
        ({"timeout": 5}, InvalidRequest),
    ],
    ids=str,
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_bad_input_is_a_typed_error_and_changes_nothing(
    tmp_path: Path, arguments: dict[str, object], error: type[TollkeeperError], stream: bool
) -> None:
    async with open_world(tmp_path) as world:
        asked: dict[str, object] = {"model": "offline/echo", "messages": HELLO, **arguments}
        call = (
            world.tk.stream_completion(world.principal, **asked).completion()  # type: ignore[arg-type]
            if stream
            else world.tk.complete(world.principal, **asked)  # type: ignore[arg-type]
        )
        with pytest.raises(error):
            await call
        assert await world.balance() == ("1.00", "0.00")
        assert len(await world.tk.list_entries(account="acme")) == 1


async def test_a_missing_scope_and_missing_credit_are_refused(tmp_path: Path) -> None:
    async with open_world(tmp_path, credit="0") as world:
        sound_only = Principal(account="acme", scopes=frozenset({"audio:transcribe"}))
        with pytest.raises(PermissionDenied):
            await world.tk.complete(sound_only, model="offline/echo", messages=HELLO)
        with pytest.raises(InsufficientCredit):
            await world.tk.complete(world.principal, model="offline/echo", messages=HELLO)


async def test_a_model_without_a_price_is_refused(tmp_path: Path) -> None:
    model = CountingModel()
    async with open_world(tmp_path, chat_models={"unpriced": model}) as world:
        with pytest.raises(Unsupported) as caught:
            await world.tk.complete(world.principal, model="unpriced/m", messages=HELLO)
        assert caught.value.code == "model_unpriced"
        assert model.asked == 0


async def test_the_plan_decides_over_models_length_rate_and_markup(tmp_path: Path) -> None:
    model = CountingModel(usage=TokenUsage(input=10, output=5))
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        plan = Plan(
            "small",
            models=("tokens/*",),
            rate_limit=RateLimit.parse("2/hour"),
            max_output_tokens=100,
            markup_bps=5_000,
        )
        await world.tk.define_plan(plan)
        await world.tk.subscribe_account(account="acme", plan="small")

        with pytest.raises(PermissionDenied):
            await world.tk.complete(world.principal, model="offline/echo", messages=HELLO)
        with pytest.raises(InvalidRequest):
            await world.tk.complete(
                world.principal, model="tokens/m", messages=HELLO, max_tokens=101
            )
        answer = await world.tk.complete(world.principal, model="tokens/m", messages=HELLO)
        assert model.last is not None
        assert model.last.max_tokens == 100
        assert answer.receipt is not None
        assert answer.receipt.charged.amount == "0.00003"
        with pytest.raises(RateLimited) as caught:
            await world.tk.complete(world.principal, model="tokens/m", messages=HELLO)
        assert timedelta(0) < caught.value.retry_after <= timedelta(hours=1)
        assert model.asked == 1
