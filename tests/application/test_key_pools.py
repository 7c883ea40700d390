"""Key pools: which key a call bears, which rest, and what follows when one is refused."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.asked_models import KeyedModel, answer, ask, failing, limited, streamed
from tests.application.virtual_time import LoopClock, in_virtual_time
from tests.application.world import open_world
from tollkeeper import Secret
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.adapters.memory.secret_source import MemorySecretSource
from tollkeeper.application.key_pools import KeyPool, PoolKey
from tollkeeper.domain.attempts import Billed, Outcome
from tollkeeper.domain.errors import (
    CredentialsRefused,
    InvalidRequest,
    Throttled,
    TollkeeperError,
)

STEADY = {"retry_pause": timedelta(0), "longest_retry_pause": timedelta(0)}
REFUSED = failing(CredentialsRefused, status=401)
FIRST = PoolKey("one", Secret("k1"), weight=1_000_000)
KEYS = (FIRST, PoolKey("two", Secret("k2"), weight=1_000), PoolKey("three", Secret("k3")))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _pool(*keys: PoolKey, **more: Any) -> dict[str, Any]:
    return {
        "key_pools": {"tokens": keys},
        "chat_models": {"tokens": "offline://"},
        "secret_source": "env://",
        **STEADY,
        **more,
    }


@in_virtual_time
async def test_keys_are_chosen_by_their_weight(tmp_path: Path) -> None:
    keys = (PoolKey("one", Secret("k1")), PoolKey("three", Secret("k3"), weight=3))
    model = KeyedModel("tokens", answer())
    async with open_world(
        tmp_path, options=_pool(*keys), clock=LoopClock(), chat_models={"tokens": model}
    ) as world:
        world.tk.complete.asking.key_pools.chance.seed(5)
        for _ in range(400):
            found = await ask(world)
        assert found.attempts[0].credential in ("one", "three")
    counts = Counter(model.keys)
    assert counts.keys() == {"k1", "k3"}
    assert 0.2 < counts["k1"] / 400 < 0.3


@in_virtual_time
async def test_a_key_that_is_limited_rests_and_the_other_is_asked_at_once(tmp_path: Path) -> None:
    keys = (PoolKey("one", Secret("k1"), weight=1_000_000), PoolKey("two", Secret("k2")))
    model = KeyedModel("tokens", limited(60), answer())
    async with open_world(
        tmp_path, options=_pool(*keys), clock=LoopClock(), chat_models={"tokens": model}
    ) as world:
        began = _now()
        for _ in range(20):
            await ask(world)
        assert _now() == began
        assert model.keys == ["k1"] + ["k2"] * 20
        await asyncio.sleep(61)
        await ask(world)
        assert model.keys[-1] == "k1"


@in_virtual_time
async def test_a_pool_whose_keys_all_rest_is_waited_for_without_wasting_a_try(
    tmp_path: Path,
) -> None:
    model = KeyedModel("tokens", limited(), limited(20), answer())
    pool = _pool(PoolKey("one", Secret("k1")))
    async with open_world(
        tmp_path, options=pool, clock=LoopClock(), chat_models={"tokens": model}
    ) as world:
        began = _now()
        found = await ask(world)
        assert _now() - began == pytest.approx(21)
        assert len(found.attempts) == 3


@in_virtual_time
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_key_that_is_refused_rests_and_the_next_is_asked_at_once(
    tmp_path: Path, stream: bool
) -> None:
    model = KeyedModel("tokens", REFUSED, answer())
    models = {"tokens": model, "spare": MemoryChatModel(answer())}
    async with open_world(
        tmp_path, options=_pool(*KEYS[:2]), clock=LoopClock(), chat_models=models
    ) as world:
        began = _now()
        wanted: dict[str, Any] = {"fallbacks": ["spare/m"]}
        found = await (streamed(world, **wanted).completion() if stream else ask(world, **wanted))
        assert (found.provider, _now()) == ("tokens", began)
        refused, answered = found.attempts
        assert (refused.credential, answered.credential) == ("one", "two")
        assert (refused.outcome, refused.error) == (Outcome.FAILED, "credentials_refused")
        assert refused.billed is Billed.NO
        for _ in range(5):
            await ask(world)
        assert model.keys == ["k1"] + ["k2"] * 6
        await asyncio.sleep(61)
        await ask(world)
        assert model.keys[-1] == "k1"


@in_virtual_time
async def test_each_key_that_is_refused_is_asked_once_and_then_the_fallback(
    tmp_path: Path,
) -> None:
    model = KeyedModel("tokens", REFUSED)
    models = {"tokens": model, "spare": MemoryChatModel(answer("spare"))}
    async with open_world(
        tmp_path, options=_pool(*KEYS, tries=10), clock=LoopClock(), chat_models=models
    ) as world:
        found = await ask(world, fallbacks=["spare/m"])
        assert found.text == "spare"
        assert model.keys == ["k1", "k2", "k3"]
        assert len(found.attempts) == 4
        with pytest.raises(Throttled) as caught:
            await ask(world, timeout=timedelta(seconds=30))
        assert caught.value.code == "keys_resting"


@in_virtual_time
async def test_refused_keys_count_as_tries(tmp_path: Path) -> None:
    models = {"tokens": KeyedModel("tokens", REFUSED)}
    async with open_world(
        tmp_path, options=_pool(*KEYS, tries=2), clock=LoopClock(), chat_models=models
    ) as world:
        with pytest.raises(CredentialsRefused):
            await ask(world)
        assert models["tokens"].keys == ["k1", "k2"]


@in_virtual_time
async def test_a_key_that_was_refused_is_not_asked_again_by_the_same_call(tmp_path: Path) -> None:
    model = KeyedModel("tokens", REFUSED, limited(100), answer())
    async with open_world(
        tmp_path, options=_pool(*KEYS[:2]), clock=LoopClock(), chat_models={"tokens": model}
    ) as world:
        # By then the first key has rested, and is as wrong as before.
        await ask(world)
        assert _now() == pytest.approx(100)
        assert model.keys == ["k1", "k2", "k2"]


@in_virtual_time
async def test_no_key_that_rests_is_waited_for_because_another_is_refused(tmp_path: Path) -> None:
    model = KeyedModel("tokens", limited(20), REFUSED, answer())
    async with open_world(
        tmp_path, options=_pool(*KEYS[:2]), clock=LoopClock(), chat_models={"tokens": model}
    ) as world:
        with pytest.raises(CredentialsRefused):
            await ask(world)
        assert (model.keys, _now()) == (["k1", "k2"], 0)


@in_virtual_time
async def test_the_houses_only_key_and_a_callers_own_are_refused_once(tmp_path: Path) -> None:
    models = {"tokens": KeyedModel("tokens", REFUSED), "spare": KeyedModel("spare", REFUSED)}
    async with open_world(
        tmp_path, options=_pool(*KEYS), clock=LoopClock(), chat_models=models
    ) as world:
        own = await world.tk.bind_credential(provider="tokens", secret=Secret("sk-own"))
        with pytest.raises(CredentialsRefused):
            await ask(world, credentials=[own])
        with pytest.raises(CredentialsRefused):
            await ask(world, model="spare/m")
        assert (models["tokens"].keys, models["spare"].keys) == (["sk-own"], ["house"])


@in_virtual_time
async def test_when_one_key_rests_shorter_than_the_other_its_rest_is_waited_for(
    tmp_path: Path,
) -> None:
    model = KeyedModel("tokens", limited(5), limited(60), answer())
    async with open_world(
        tmp_path, options=_pool(*KEYS[:2]), clock=LoopClock(), chat_models={"tokens": model}
    ) as world:
        await ask(world)
        assert model.keys == ["k1", "k2", "k1"]
        assert _now() == pytest.approx(5)


@in_virtual_time
@pytest.mark.parametrize("kept", [None, "", "with blank"], ids=repr)
async def test_a_named_key_without_a_usable_secret_is_passed_over(
    tmp_path: Path, kept: str | None
) -> None:
    source = MemorySecretSource()
    if kept is not None:
        source.secrets["gone"] = Secret(kept)
    models = {"tokens": KeyedModel("tokens", answer()), "spare": MemoryChatModel(answer("spare"))}
    lost = PoolKey("lost", name="gone", weight=1_000_000)
    for keys, expected in (((lost, KEYS[1]), "tokens"), ((lost,), "spare")):
        async with open_world(
            tmp_path,
            options=_pool(*keys, tries=1),
            clock=LoopClock(),
            chat_models=models,
            secret_source=source,
        ) as world:
            assert (await ask(world, fallbacks=["spare/m"])).provider == expected
            if expected == "spare":
                with pytest.raises(CredentialsRefused, match="lost"):
                    await ask(world)


@in_virtual_time
async def test_keys_come_from_the_secret_source_by_their_names(tmp_path: Path) -> None:
    source = MemorySecretSource.of({"llm/main": "from-the-vault"})
    model = KeyedModel("tokens", answer())
    pool = _pool(PoolKey("main", name="llm/main"))
    async with open_world(
        tmp_path,
        options=pool,
        clock=LoopClock(),
        chat_models={"tokens": model},
        secret_source=source,
    ) as world:
        await ask(world)
        assert model.keys == ["from-the-vault"]
        source.secrets["llm/main"] = Secret("changed-there")
        await ask(world)
        assert model.keys[-1] == "changed-there"


@in_virtual_time
async def test_a_key_that_no_source_has_is_our_fault_and_not_the_callers(tmp_path: Path) -> None:
    pool = {**_pool(PoolKey("main", name="llm/gone")), "fallbacks": {"tokens/m": ("spare/m",)}}
    models = {"tokens": KeyedModel("tokens"), "spare": MemoryChatModel(answer("spare"))}
    async with open_world(
        tmp_path,
        options=pool,
        clock=LoopClock(),
        chat_models=models,
        secret_source=MemorySecretSource(),
    ) as world:
        with pytest.raises(CredentialsRefused) as caught:
            await ask(world, fallbacks=())
        assert caught.value.code == "secret_not_found"
        assert (await ask(world)).text == "spare"
        assert models["tokens"].requests == []


MALFORMED: list[Callable[[], object]] = [
    lambda: PoolKey("one", Secret("k"), weight=0),
    lambda: PoolKey("one", Secret("k"), weight=-3),
    lambda: PoolKey("one", Secret("k"), weight=1.5),  # type: ignore[arg-type]
    lambda: PoolKey("one", Secret("k"), weight=True),
    lambda: PoolKey("one", Secret("k"), weight=10**6 + 1),
    lambda: PoolKey("", Secret("k")),
    lambda: PoolKey(" ", Secret("k")),
    lambda: PoolKey("x" * 65, Secret("k")),
    lambda: PoolKey("a\nb", Secret("k")),
    lambda: PoolKey(5, Secret("k")),  # type: ignore[arg-type]
    lambda: PoolKey("one"),
    lambda: PoolKey("one", Secret("k"), name="NAME"),
    lambda: PoolKey("one", "sk-text"),  # type: ignore[arg-type]
    lambda: PoolKey("one", name=5),  # type: ignore[arg-type]
    lambda: KeyPool(()),
    lambda: KeyPool((FIRST, PoolKey("one", Secret("k2")))),
    lambda: KeyPool("one"),  # type: ignore[arg-type]
    lambda: KeyPool((Secret("k"),)),  # type: ignore[arg-type]
    lambda: KeyPool(5),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("make", MALFORMED)
def test_a_malformed_key_or_pool_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidRequest, match="key") as caught:
        make()
    assert isinstance(caught.value, TollkeeperError)
    assert "sk-text" not in caught.value.public_message
