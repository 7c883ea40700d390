"""What nobody has priced is refused, and no answer is taken for another model's."""

import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.asked_models import USAGE, answer, ask
from tests.application.virtual_time import LoopClock, in_virtual_time
from tests.application.world import EVERYTHING, open_world, settings_in
from tests.servers.http_player import Play
from tests.servers.wire import FORMATS
from tests.servers.wire_server import wire_server
from tollkeeper import Delta, FinishReason, Money, Principal, Secret, open_tollkeeper, user
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.domain.errors import InvalidRequest, Timeout, Unavailable, Unsupported

DOWN = Unavailable("down", port="chat_model", adapter="test")


@in_virtual_time
@pytest.mark.parametrize(
    "options",
    [
        {"extra": {"models": ["dear/model"]}},
        {"extra": {"service_tier": "priority"}},
        {"extra": {"plugins": []}},
        {"service_tier": "priority"},
    ],
    ids=["models", "tier in extra", "plugins", "tier"],
)
async def test_what_the_price_does_not_cover_is_refused_before_money(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    model = MemoryChatModel(answer("hello"))
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        with pytest.raises(Unsupported) as caught:
            await ask(world, **options)
        assert caught.value.code in ("extra_out_of_reach", "service_tier_unpriced")
        assert model.requests == []
        assert await world.balance() == ("1.00", "0.00")


@in_virtual_time
@pytest.mark.parametrize("extra", [{"a": {1: 2, "b": 3}}, {"a": {1, 2}}], ids=["keys", "set"])
async def test_an_extra_that_is_no_json_is_refused(tmp_path: Path, extra: Any) -> None:
    async with open_world(
        tmp_path, clock=LoopClock(), chat_models={"tokens": MemoryChatModel()}
    ) as world:
        if "a" in extra and isinstance(extra["a"], dict):
            extra["a"]["self"] = extra
        with pytest.raises(InvalidRequest, match="extra"):
            await ask(world, extra=extra)


@in_virtual_time
async def test_an_answer_of_a_fallback_is_not_kept_as_the_first_models(tmp_path: Path) -> None:
    first = MemoryChatModel([DOWN], answer("first"))
    other = MemoryChatModel(answer("other"))
    async with open_world(
        tmp_path,
        clock=LoopClock(),
        chat_models={"tokens": first, "offline": other},
        options={"response_ttl": timedelta(hours=1), "tries": 1},
    ) as world:
        assert (await ask(world, fallbacks=["offline/m"])).text == "other"
        assert (await ask(world)).text == "first"
        assert (await ask(world)).cached


@in_virtual_time
async def test_a_fallback_of_the_settings_that_nobody_serves_breaks_no_call(tmp_path: Path) -> None:
    model = MemoryChatModel([Delta(text="hi"), Delta(finish_reason=FinishReason.STOP, usage=USAGE)])
    async with open_world(
        tmp_path,
        clock=LoopClock(),
        chat_models={"tokens": model},
        options={"fallbacks": {"tokens/*": ("gone/model",)}},
    ) as world:
        assert (await ask(world)).text == "hi"


@pytest.mark.anyio
@pytest.mark.parametrize("limit", ["call", "attempt"])
async def test_a_call_that_is_cut_off_shows_no_key_even_with_its_variables(
    tmp_path: Path, limit: str
) -> None:
    soon = timedelta(seconds=0.2)
    with wire_server(FORMATS["openai"]) as server:
        server.plays["slow"] = lambda _: Play((), head=False, ending="stall")
        settings = settings_in(
            tmp_path,
            chat_models={"tokens": f"openai+{server.base_url}"},
            api_keys={"tokens": Secret("sk-nobody-sees-this")},
            tries=1,
            attempt_timeout=soon if limit == "attempt" else None,
        )
        async with open_tollkeeper(settings) as tk:
            await tk.grant_credit(
                account="acme", amount=Money.of("1", "USD"), idempotency_key="welcome"
            )
            principal = Principal(account="acme", scopes=EVERYTHING)
            with pytest.raises(Timeout) as caught:
                await tk.complete(
                    principal,
                    model="tokens/slow",
                    messages=[user("Hello")],
                    timeout=soon if limit == "call" else None,
                )
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "sk-nobody-sees-this" not in "".join(report.format())
