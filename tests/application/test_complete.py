"""Complete: what is charged, what is not."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.counting_model import CountingModel
from tests.application.world import open_world
from tollkeeper import Plan, Principal, RateLimit, TokenUsage, user
from tollkeeper.domain.errors import (
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


@pytest.mark.parametrize("wrong", ["temprature", "idempotencykey", "quirks", "dimensions"])
async def test_an_option_that_there_is_not_is_refused_and_costs_nothing(
    tmp_path: Path, wrong: str
) -> None:
    model = CountingModel(usage=TokenUsage(input=10, output=5))
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        asked: dict[str, Any] = {"model": "tokens/m", "messages": HELLO, wrong: 1}
        with pytest.raises(InvalidRequest, match=f"no option {wrong}; it has cache, "):
            await world.tk.complete(world.principal, **asked)
        with pytest.raises(InvalidRequest, match=f"no option {wrong}; it has cache, "):
            await world.tk.stream_completion(world.principal, **asked).completion()
        assert model.asked == 0
        assert await world.balance() == ("1.00", "0.00")


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


async def test_a_report_of_nothing_at_all_is_none_and_never_makes_a_call_free(
    tmp_path: Path,
) -> None:
    model = CountingModel(usage=TokenUsage())
    async with open_world(tmp_path, chat_models={"tokens": model}) as world:
        answer = await world.tk.complete(world.principal, model="tokens/m", messages=HELLO)
        assert answer.receipt is not None
        assert answer.receipt.provenance is Provenance.ESTIMATED
        assert answer.receipt.charged.nanos > 0


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
            rate_limit=RateLimit.parse("1/hour"),
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
