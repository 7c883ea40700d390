"""The catalogue at work: names, plans, bounds and what a model can take."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from tests.application.asked_models import HELLO, answer, ask, streamed
from tests.application.virtual_time import LoopClock, in_virtual_time
from tests.application.world import World, open_world
from tollkeeper import Completion, Delta, Money, Plan, PromptCache, Tool, system
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.application.fingerprints import fingerprint
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import (
    InvalidRequest,
    NotFound,
    PermissionDenied,
    TollkeeperError,
    Unsupported,
)
from tollkeeper.domain.quirks import Quirks, adapt

CATALOGUE = """
[[models]]
id = "tokens/writer"
name = "writer-2026"
aliases = ["writer", "house/best"]
max_output = 100
context_window = 500
prices = "spare/m"
capabilities = ["tools", "prompt_cache"]
cache_minimum = 4096
[models.quirks]
unsupported = ["seed", "stop"]
fixed = { temperature = 1 }

[[models]]
id = "tokens/off"
enabled = false

[[models]]
id = "tokens/gold"
plans = ["gold*"]
"""


class FittingModel(MemoryChatModel):
    """Fits requests to the quirks of their model, as every adapter does."""

    async def stream(
        self, request: ChatRequest, *, credential: Credential | None = None
    ) -> AsyncGenerator[Delta, None]:
        request, warnings = adapt(request)
        yield Delta(warnings=warnings)
        async for delta in super().stream(request, credential=credential):
            yield delta


def _open(folder: Path, model: MemoryChatModel, **options: Any) -> Any:
    file = folder / "catalogue.toml"
    file.write_text(CATALOGUE)
    return open_world(
        folder,
        options={"catalogue": str(file), **options},
        clock=LoopClock(),
        chat_models={"tokens": model},
    )


async def _plan(world: World, plan: Plan) -> None:
    await world.tk.define_plan(plan)
    await world.tk.subscribe_account(account="acme", plan=plan.name)


@in_virtual_time
@pytest.mark.parametrize("name", ["tokens/writer", "writer", "house/best"])
async def test_a_model_goes_by_its_id_and_its_aliases(tmp_path: Path, name: str) -> None:
    model = FittingModel(answer())
    async with _open(tmp_path, model) as world:
        found = await ask(world, name)
        assert model.requests[0].model == "writer-2026"
        assert found.receipt is not None
        assert (found.receipt.model, found.receipt.price_id) == (
            "tokens/writer",
            "spare/*@2000-01-01",
        )
        assert found.receipt.charged.amount == "0.0002"


@in_virtual_time
async def test_a_model_that_is_switched_off_or_kept_to_a_plan_is_refused(tmp_path: Path) -> None:
    async with _open(tmp_path, FittingModel(answer())) as world:
        with pytest.raises(NotFound) as off:
            await ask(world, "tokens/off")
        assert off.value.code == "model_disabled"
        with pytest.raises(PermissionDenied) as kept:
            await ask(world, "tokens/gold")
        assert kept.value.code == "not_in_plan"
        await _plan(world, Plan("gold-plus"))
        await ask(world, "tokens/gold")


@in_virtual_time
async def test_unknown_models_are_refused_only_where_the_settings_say_so(tmp_path: Path) -> None:
    async with _open(tmp_path, FittingModel(answer())) as world:
        await ask(world, "tokens/brand-new")
    async with _open(tmp_path, FittingModel(answer()), only_known_models=True) as world:
        with pytest.raises(NotFound) as caught:
            await ask(world, "tokens/brand-new")
        assert caught.value.code == "model_unknown"
        await ask(world, "writer")


@in_virtual_time
async def test_a_default_of_max_tokens_is_lowered_and_a_demand_is_refused(tmp_path: Path) -> None:
    model = FittingModel(answer())
    async with _open(tmp_path, model) as world:
        await ask(world, "writer")
        assert model.requests[-1].max_tokens == 100
        with pytest.raises(InvalidRequest) as caught:
            await ask(world, "writer", max_tokens=101)
        assert caught.value.code == "max_tokens_over_model"
        await _plan(world, Plan("small", max_output_tokens=50))
        with pytest.raises(InvalidRequest) as again:
            await ask(world, "writer", max_tokens=51)
        assert again.value.code == "max_tokens_over_plan"
        await ask(world, "writer")
        assert model.requests[-1].max_tokens == 50


@in_virtual_time
async def test_the_window_bounds_what_is_held(tmp_path: Path) -> None:
    async with _open(tmp_path, FittingModel(answer())) as world:
        found = await ask(world, "writer", messages=[*HELLO, system("x" * 10_000)])
        assert found.receipt is not None
        # 500 tokens in at ten micro-dollars, 100 out at twenty.
        assert found.receipt.held == Money.of("0.007", "USD")


@in_virtual_time
async def test_the_prompt_cache_is_fitted_to_the_model_and_never_refused(tmp_path: Path) -> None:
    model = FittingModel(answer())
    async with _open(tmp_path, model) as world:
        await ask(world, "writer", prompt_cache=PromptCache())
        kept = model.requests[-1].prompt_cache
        assert kept is not None
        assert kept.minimum_tokens == 4096
        await _plan(world, Plan("gold"))
        await ask(world, "tokens/gold", prompt_cache=PromptCache())
        assert model.requests[-1].prompt_cache is None


@in_virtual_time
@pytest.mark.parametrize("by", ["call", "settings"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_what_the_model_cannot_take_is_dropped_with_a_warning_where_allowed(
    tmp_path: Path, by: str, stream: bool
) -> None:
    model = FittingModel(answer())
    options = {"on_unsupported": "drop"}
    async with _open(tmp_path, model, **(options if by == "settings" else {})) as world:
        asked = {"seed": 5, "temperature": 1, "reasoning_effort": "low"}
        asked |= options if by == "call" else {}
        found: Completion = await (
            streamed(world, "writer", **asked).completion()
            if stream
            else ask(world, "writer", **asked)
        )
        assert found.warnings == tuple(
            f"{name} was dropped: writer-2026 does not take it"
            for name in ("reasoning_effort", "seed")
        )
        sent = model.requests[-1]
        assert (sent.seed, sent.temperature, sent.reasoning_effort) == (None, None, None)


@in_virtual_time
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"seed": 5}, "unsupported_parameter"),
        ({"temperature": 0.5}, "unsupported_parameter"),
        ({"reasoning_effort": "high"}, "unsupported_parameter"),
        ({"reasoning_budget": 20}, "unsupported_parameter"),
        ({"response_format": "json"}, "unsupported_capability"),
        ({"response_format": "json", "on_unsupported": "drop"}, "unsupported_capability"),
    ],
    ids=str,
)
async def test_what_the_model_cannot_do_is_refused_before_money(
    tmp_path: Path, options: dict[str, Any], code: str
) -> None:
    model = FittingModel(answer())
    async with _open(tmp_path, model) as world:
        with pytest.raises(Unsupported) as caught:
            await ask(world, "writer", **options)
        assert caught.value.code == code
        assert model.requests == []
        assert len(await world.tk.list_entries(account="acme")) == 1


@in_virtual_time
@pytest.mark.parametrize(
    "most_cost", [Money.of("1", "EUR"), "1", 5, Money.of("0.000001", "USD")], ids=repr
)
async def test_most_cost_is_an_amount_of_the_same_currency_that_covers_the_worst_case(
    tmp_path: Path, most_cost: Any
) -> None:
    model = FittingModel(answer())
    async with _open(tmp_path, model) as world:
        with pytest.raises(InvalidRequest):
            await ask(world, most_cost=most_cost)
        assert model.requests == []
        assert (await world.balance())[1] == "0.00"
        await ask(world, most_cost=Money.of("1", "USD"))


def test_what_is_known_of_a_model_is_no_part_of_what_is_asked() -> None:
    known = ChatRequest(
        model="m", messages=HELLO, max_tokens=5, quirks=Quirks(unsupported=["seed", "stop", "user"])
    )
    assert fingerprint(known) == fingerprint(ChatRequest("m", HELLO, 5))
    assert fingerprint(known) != fingerprint(ChatRequest("m", HELLO, 6))
    with_tools = ChatRequest("m", HELLO, 5, tools=[Tool("a")])
    assert fingerprint(with_tools) != fingerprint(known)


@in_virtual_time
async def test_attempts_are_listed_by_call_time_and_page(tmp_path: Path) -> None:
    clock = LoopClock()
    async with _open(tmp_path, FittingModel(answer())) as world:
        calls = []
        for _ in range(3):
            found = await ask(world, "writer")
            assert found.receipt is not None
            calls.append((found.receipt.call_id, clock.now()))
            await asyncio.sleep(60)
        everything = await world.tk.list_attempts(account="acme")
        assert [each.call_id for each in everything] == [call_id for call_id, _ in calls]
        [middle] = await world.tk.list_attempts(account="acme", call_id=calls[1][0])
        assert middle == everything[1]
        assert await world.tk.list_attempts(account="acme", since=calls[2][1]) == everything[2:]
        assert await world.tk.list_attempts(account="acme", until=calls[1][1]) == everything[:1]
        assert await world.tk.list_attempts(account="acme", limit=1) == everything[:1]
        assert (
            await world.tk.list_attempts(account="acme", after=everything[0].id) == everything[1:]
        )
        assert await world.tk.list_attempts(account="rival") == ()
        with pytest.raises(NotFound):
            await world.tk.list_attempts(account="rival", after=everything[0].id)
        for wrong in ({"account": ""}, {"account": "acme", "limit": 0}):
            with pytest.raises(TollkeeperError):
                await world.tk.list_attempts(**wrong)
