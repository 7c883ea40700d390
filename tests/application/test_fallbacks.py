"""Fallbacks and circuit breakers: who else is asked, who is left alone, and who is charged."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.asked_models import HELLO, answer, ask, failing, streamed
from tests.application.virtual_time import LoopClock, in_virtual_time
from tests.application.world import World, open_world
from tollkeeper import ImagePart, Plan, user
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.domain.attempts import Settlement
from tollkeeper.domain.errors import (
    ContentFiltered,
    ContextWindowExceeded,
    InsufficientCredit,
    InvalidRequest,
    PortError,
    Unavailable,
)
from tollkeeper.domain.meters import Meter

SECOND = timedelta(seconds=1)
ONCE = {"tries": 1}
CATALOGUE = """
[[models]]
id = "tokens/m"
larger = "spare/large"
unfiltered = "spare/free"
capabilities = ["images", "reasoning", "streaming"]
[[models]]
id = "spare/large"
[[models]]
id = "spare/free"
[[models]]
id = "spare/blind"
aliases = ["blind"]
[[models]]
id = "spare/short"
max_output = 10
capabilities = ["reasoning"]
[[models]]
id = "spare/off"
enabled = false
[[models]]
id = "spare/gold"
plans = ["gold"]
"""


def _catalogue(folder: Path, **more: object) -> dict[str, object]:
    file = folder / "catalogue.toml"
    file.write_text(CATALOGUE)
    return {"catalogue": str(file), **ONCE, **more}


def _models(*first: Any) -> dict[str, MemoryChatModel]:
    return {
        "tokens": MemoryChatModel(*(first or (failing(),))),
        "spare": MemoryChatModel(answer("spare")),
        "foreign": MemoryChatModel(answer("foreign")),
        "unpriced": MemoryChatModel(answer("unpriced")),
    }


def asked_of(models: dict[str, MemoryChatModel]) -> list[str]:
    """Name the models that were asked, by provider."""
    return [
        f"{provider}/{request.model}"
        for provider, model in models.items()
        for request in model.requests
    ]


@in_virtual_time
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_the_model_that_answered_is_charged_at_its_own_prices(
    tmp_path: Path, stream: bool
) -> None:
    models = _models(failing(ambiguous=True))
    async with open_world(tmp_path, options=ONCE, clock=LoopClock(), chat_models=models) as world:
        wanted: dict[str, Any] = {"fallbacks": ["spare/m"]}
        found = await (streamed(world, **wanted).completion() if stream else ask(world, **wanted))
        assert (found.text, found.provider) == ("spare", "spare")
        assert found.receipt is not None
        assert found.receipt.model == "spare/m"
        assert found.receipt.price_id == "spare/*@2000-01-01"
        assert found.receipt.charged.amount == "0.0002"
        first, second = found.attempts
        assert (first.settlement, second.settlement) == (
            Settlement.WRITTEN_OFF,
            Settlement.CHARGED,
        )
        events = world.tk.complete.responses.usage_log
        logged = await events.events(account="acme")
        assert {(event.model, event.attempt) for event in logged} == {("spare/m", 2)}


@in_virtual_time
async def test_the_hold_covers_the_dearest_that_may_answer(tmp_path: Path) -> None:
    models = _models(answer())
    async with open_world(
        tmp_path, options=ONCE, credit="0.01", clock=LoopClock(), chat_models=models
    ) as world:
        alone = await ask(world)
        assert alone.receipt is not None
        assert alone.receipt.held.amount < "0.01"
        with pytest.raises(InsufficientCredit):
            await ask(world, fallbacks=["spare/m"])
        assert len(models["tokens"].requests) == 1


async def _skipped(world: World, models: dict[str, MemoryChatModel], **options: Any) -> list[str]:
    with pytest.raises(PortError):
        await ask(world, **options)
    return asked_of(models)


@in_virtual_time
@pytest.mark.parametrize(
    ("fallback", "options"),
    [
        ("foreign/m", {}),
        ("unpriced/m", {}),
        ("spare/gold", {}),
        ("spare/off", {}),
        ("spare/m", {"plan": ("tokens/*",)}),
        ("blind", {"messages": [user(["See", ImagePart(url="https://x.example/y.png")])]}),
        ("spare/short", {"max_tokens": 50, "reasoning_budget": 20}),
        ("tokens/m", {}),
    ],
    ids=["currency", "price", "gold", "off", "plan", "images", "budget", "itself"],
)
async def test_a_fallback_that_does_not_fit_is_passed_over(
    tmp_path: Path, fallback: str, options: dict[str, Any]
) -> None:
    models = _models()
    async with open_world(
        tmp_path, options=_catalogue(tmp_path), clock=LoopClock(), chat_models=models
    ) as world:
        plan = options.pop("plan", None)
        if plan is not None:
            await world.tk.define_plan(Plan("small", models=plan))
            await world.tk.subscribe_account(account="acme", plan="small")
        assert await _skipped(world, models, fallbacks=[fallback], **options) == ["tokens/m"]


@in_virtual_time
@pytest.mark.parametrize("fallback", ["nobody/m", "nonsense", ""])
async def test_a_fallback_that_cannot_be_is_named(tmp_path: Path, fallback: str) -> None:
    models = _models(answer())
    async with open_world(tmp_path, clock=LoopClock(), chat_models=models) as world:
        with pytest.raises(InvalidRequest) as caught:
            await ask(world, fallbacks=["spare/m", fallback])
        assert caught.value.code == "invalid_fallback"
        assert f"the fallback {fallback}:" in caught.value.public_message
        assert asked_of(models) == []


@in_virtual_time
@pytest.mark.parametrize("fallbacks", ["spare/m", 5, [5], ["spare/m"] * 8], ids=repr)
async def test_fallbacks_are_a_short_list(tmp_path: Path, fallbacks: Any) -> None:
    async with open_world(tmp_path, clock=LoopClock(), chat_models=_models()) as world:
        with pytest.raises(InvalidRequest, match="fallbacks"):
            await ask(world, fallbacks=fallbacks)


@in_virtual_time
async def test_each_model_is_asked_along_the_chain_once(tmp_path: Path) -> None:
    models = _models()
    models["spare"] = MemoryChatModel(failing())
    async with open_world(
        tmp_path, options=_catalogue(tmp_path), clock=LoopClock(), chat_models=models
    ) as world:
        with pytest.raises(Unavailable):
            await ask(world, fallbacks=["blind", "spare/blind", "tokens/m"])
        assert asked_of(models) == ["tokens/m", "spare/blind"]


@in_virtual_time
async def test_the_chain_of_the_settings_holds_where_the_call_names_none(tmp_path: Path) -> None:
    models = _models()
    options = {**ONCE, "fallbacks": {"tokens/*": ("spare/m",)}}
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models=models
    ) as world:
        assert (await ask(world)).provider == "spare"
        with pytest.raises(Unavailable):
            await ask(world, fallbacks=[])


@in_virtual_time
@pytest.mark.parametrize("allowed", [True, False], ids=["configured", "not-configured"])
@pytest.mark.parametrize(
    ("kind", "setting", "asked"),
    [
        (ContextWindowExceeded, "overflow_fallback", "spare/large"),
        (ContentFiltered, "filter_fallback", "spare/free"),
    ],
    ids=["overflow", "filter"],
)
async def test_another_window_or_filter_is_tried_only_where_configured(
    tmp_path: Path, kind: type[PortError], setting: str, asked: str, allowed: bool
) -> None:
    models = _models(failing(kind, status=400))
    options = _catalogue(tmp_path, **{setting: allowed, "fallbacks": {"tokens/m": ("spare/m",)}})
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models=models
    ) as world:
        if allowed:
            assert (await ask(world)).text == "spare"
            assert asked_of(models) == ["tokens/m", asked]
        else:
            assert (await _skipped(world, models)) == ["tokens/m"]


@in_virtual_time
async def test_a_model_that_failed_too_often_is_passed_over_at_once(tmp_path: Path) -> None:
    models = _models()
    options = {**ONCE, "breaker_failures": 2, "breaker_pause": SECOND * 30}
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models=models
    ) as world:
        for _ in range(5):
            assert (await ask(world, fallbacks=["spare/m"])).provider == "spare"
        assert len(models["tokens"].requests) == 2
        with pytest.raises(Unavailable) as caught:
            await ask(world)
        assert (caught.value.code, caught.value.retry_after) == ("circuit_open", SECOND * 30)
        await asyncio.sleep(31)
        await ask(world, fallbacks=["spare/m"])
        assert len(models["tokens"].requests) == 3


@in_virtual_time
async def test_one_probe_is_sent_and_its_success_lets_the_others_pass(tmp_path: Path) -> None:
    async def slowly() -> None:
        await asyncio.sleep(5)

    models = _models(failing(), [slowly, *answer()])
    options = {**ONCE, "breaker_failures": 1, "breaker_pause": SECOND * 10}
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models=models
    ) as world:
        with pytest.raises(Unavailable):
            await ask(world)
        await asyncio.sleep(10)
        found = await asyncio.gather(*(ask(world, fallbacks=["spare/m"]) for _ in range(5)))
        assert sorted(each.provider for each in found) == ["spare"] * 4 + ["tokens"]
        assert (await ask(world, fallbacks=["spare/m"])).provider == "tokens"


@in_virtual_time
async def test_who_waited_for_a_place_heeds_a_breaker_that_opened_meanwhile(
    tmp_path: Path,
) -> None:
    async def slowly() -> None:
        await asyncio.sleep(5)

    models = _models([slowly, *failing()])
    options = {**ONCE, "breaker_failures": 1, "concurrency": {"tokens": 1}}
    options["chat_models"] = {"tokens": "offline://"}
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models=models
    ) as world:
        calls = (ask(world, fallbacks=["spare/m"], messages=HELLO) for _ in range(4))
        assert [each.provider for each in await asyncio.gather(*calls)] == ["spare"] * 4
        assert len(models["tokens"].requests) == 1


@in_virtual_time
async def test_a_caller_who_leaves_does_not_keep_the_probes_place(tmp_path: Path) -> None:
    models = _models(failing(), [asyncio.Event().wait], answer())
    options = {**ONCE, "breaker_failures": 1, "breaker_pause": SECOND * 10}
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models=models
    ) as world:
        with pytest.raises(Unavailable):
            await ask(world)
        await asyncio.sleep(10)
        probe = asyncio.ensure_future(ask(world))
        await asyncio.sleep(1)
        probe.cancel()
        await asyncio.wait([probe])
        found = await ask(world)
        assert found.receipt is not None
        assert found.receipt.quantities[Meter.OUTPUT_TOKENS] == 5
