"""Two facades in one process share nothing; the blocking facade has every use case."""

from datetime import timedelta
from pathlib import Path

import pytest
from attrs import fields

from tests.application.asked_models import HELLO, KeyedModel, answer, ask, failing, limited
from tests.application.test_run_tools import calls, function, weather
from tests.application.virtual_time import LoopClock, in_virtual_time
from tests.application.world import EVERYTHING, open_world, settings_in
from tollkeeper import Money, Principal, Secret, Tollkeeper, open_tollkeeper_sync
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.adapters.memory.embedder import MemoryEmbedder
from tollkeeper.application.key_pools import PoolKey
from tollkeeper.domain.errors import Unavailable


@in_virtual_time
async def test_breakers_pools_caches_and_limits_are_each_facades_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    failing_model = MemoryChatModel(failing())
    keys = (PoolKey("one", Secret("k1"), weight=1_000_000), PoolKey("two", Secret("k2")))
    options = {
        "tries": 1,
        "breaker_failures": 1,
        "response_ttl": timedelta(hours=1),
        "key_pools": {"spare": keys},
        "chat_models": {"spare": "offline://"},
        "concurrency": {"spare": 1},
    }
    limited_once = KeyedModel("spare", limited(60), answer())
    fine = KeyedModel("spare", answer())
    async with (
        open_world(
            tmp_path / "one",
            options=options,
            clock=LoopClock(),
            chat_models={"tokens": failing_model, "spare": limited_once},
        ) as one,
        open_world(
            tmp_path / "two",
            options=options,
            clock=LoopClock(),
            chat_models={"tokens": MemoryChatModel(answer()), "spare": fine},
        ) as two,
    ):
        for _ in range(2):
            with pytest.raises(Unavailable):
                await ask(one)
        assert len(failing_model.requests) == 1
        assert not (await ask(two)).cached

        with pytest.raises(Exception, match="does not work"):
            await ask(one, "spare/m")
        await ask(one, "spare/m")
        assert limited_once.keys == ["k1", "k2"]
        assert not (await ask(two, "spare/m")).cached
        assert fine.keys == ["k1"]
        assert (await ask(one, "spare/m")).cached

        first, second = one.tk.complete, two.tk.complete
        for part in ("asking", "responses", "answers", "chat_calls"):
            assert getattr(first, part) is not getattr(second, part)
        for part in ("breakers", "key_pools", "places", "chance"):
            assert getattr(first.asking, part) is not getattr(second.asking, part)
            assert getattr(first.asking, part) is getattr(one.tk.stream_completion.asking, part)
            assert getattr(first.asking, part) is getattr(one.tk.embed.asking, part)


def test_the_blocking_facade_has_every_use_case(tmp_path: Path) -> None:
    model = KeyedModel("tokens", calls(("weather", "{}")), answer())
    lent = {"chat_models": {"tokens": model}, "embedders": {"tokens": MemoryEmbedder()}}
    principal = Principal("acme", EVERYTHING)
    settings = settings_in(tmp_path, tables="memory://")
    with open_tollkeeper_sync(settings, **lent) as tk:  # type: ignore[arg-type]
        for attribute in fields(Tollkeeper):
            assert hasattr(tk, attribute.name)
        tk.grant_credit(account="acme", amount=Money.of("1", "USD"), idempotency_key="g")
        own = tk.bind_credential(provider="tokens", secret=Secret("sk-tenant"))
        run = tk.run_tools(
            principal,
            model="tokens/m",
            messages=HELLO,
            functions=[function("weather", weather)],
            credentials=[own],
        )
        assert run.answer.text == "General Kenobi"
        assert set(model.keys) == {"sk-tenant"}
        assert len(tk.embed(principal, model="tokens/m", texts=["a", "b"]).vectors) == 2
        stream = tk.stream_completion(principal, model="tokens/m", messages=HELLO)
        assert stream.completion().attempts == stream.partial.attempts
        assert len(tk.list_attempts(account="acme")) == 4
