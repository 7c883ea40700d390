"""A tenant's own keys: bound to one place, never replaced by the house's, never sent elsewhere."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.asked_models import (
    KeyedEmbedder,
    KeyedModel,
    answer,
    ask,
    failing,
    limited,
    streamed,
)
from tests.application.virtual_time import LoopClock, in_virtual_time
from tests.application.world import World, open_world
from tollkeeper import Secret
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.application.key_pools import PoolKey
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import CredentialsRefused, InvalidRequest, NotFound, Unsupported


async def _bound(world: World, provider: str = "tokens", text: str = "sk-tenant") -> Credential:
    return await world.tk.bind_credential(provider=provider, secret=Secret(text))


def _models(*answers: Any) -> dict[str, Any]:
    return {
        "tokens": KeyedModel("tokens", *(answers or (answer(),))),
        "spare": KeyedModel("spare", answer("spare"), base_url="https://two.example"),
    }


@in_virtual_time
async def test_the_tenants_own_key_is_sent_and_named_in_the_record(tmp_path: Path) -> None:
    models = _models()
    async with open_world(tmp_path, clock=LoopClock(), chat_models=models) as world:
        found = await ask(world, credentials=[await _bound(world)])
        assert models["tokens"].keys == ["sk-tenant"]
        assert found.attempts[0].credential == "tenant"
        assert (await ask(world)).attempts[0].credential == "default"
        assert models["tokens"].keys == ["sk-tenant", "house"]


@in_virtual_time
async def test_a_tenant_without_a_key_for_the_provider_is_refused_before_money(
    tmp_path: Path,
) -> None:
    models = _models()
    async with open_world(tmp_path, clock=LoopClock(), chat_models=models, credit="0") as world:
        with pytest.raises(InvalidRequest) as caught:
            await ask(world, credentials=[await _bound(world, "spare")])
        assert caught.value.code == "credential_missing"
        assert models["tokens"].keys == models["spare"].keys == []


@in_virtual_time
async def test_a_fallback_for_which_the_tenant_has_no_key_is_passed_over(tmp_path: Path) -> None:
    models = _models(failing(CredentialsRefused, status=401))
    async with open_world(tmp_path, clock=LoopClock(), chat_models=models) as world:
        own = await _bound(world)
        with pytest.raises(CredentialsRefused):
            await ask(world, credentials=[own], fallbacks=["spare/m"])
        assert models["spare"].keys == []
        other = await _bound(world, "spare", "sk-other")
        found = await ask(world, credentials=[own, other], fallbacks=["spare/m"])
        assert found.provider == "spare"
        assert models["spare"].keys == ["sk-other"]


@in_virtual_time
async def test_a_key_that_is_bound_elsewhere_is_never_sent(tmp_path: Path) -> None:
    models = _models()
    elsewhere = Credential("tokens", "https://evil.example", Secret("sk-tenant"))
    async with open_world(tmp_path, clock=LoopClock(), chat_models=models) as world:
        with pytest.raises(CredentialsRefused) as caught:
            await ask(world, credentials=[elsewhere])
        assert caught.value.code == "credential_bound_elsewhere"
        assert models["tokens"].keys == []
        assert "sk-tenant" not in repr(caught.value)


@in_virtual_time
async def test_a_limit_of_the_tenants_key_is_waited_out_whatever_the_house_has(
    tmp_path: Path,
) -> None:
    models = _models(limited(20), answer())
    options = {
        "key_pools": {"tokens": (PoolKey("one", Secret("k1")), PoolKey("two", Secret("k2")))},
        "chat_models": {"tokens": "offline://"},
    }
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models=models
    ) as world:
        began = asyncio.get_running_loop().time()
        await ask(world, credentials=[await _bound(world)])
        assert asyncio.get_running_loop().time() - began >= 20
        assert models["tokens"].keys == ["sk-tenant"] * 2
        await ask(world)
        assert models["tokens"].keys[-1] in ("k1", "k2")


@in_virtual_time
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_caller_who_brings_an_empty_list_does_not_get_the_houses_key(
    tmp_path: Path, stream: bool
) -> None:
    models = _models()
    options = {
        "key_pools": {"tokens": (PoolKey("one", Secret("k1")),)},
        "chat_models": {"tokens": "offline://"},
    }
    async with open_world(
        tmp_path, options=options, clock=LoopClock(), chat_models=models, credit="0"
    ) as world:
        nothing: list[Any] = [[], ()]
        for empty in nothing:
            wanted: dict[str, Any] = {"credentials": empty, "fallbacks": ["spare/m"]}
            with pytest.raises(InvalidRequest) as caught:
                await (streamed(world, **wanted).completion() if stream else ask(world, **wanted))
            assert caught.value.code == "credential_missing"
        assert models["tokens"].keys == models["spare"].keys == []
        await world.grant("1.00")
        await ask(world, credentials=None)
        assert models["tokens"].keys == ["k1"]


@in_virtual_time
async def test_two_credentials_for_one_place_are_refused(tmp_path: Path) -> None:
    models = _models()
    async with open_world(tmp_path, clock=LoopClock(), chat_models=models) as world:
        one, two = await _bound(world), await _bound(world, text="sk-other")
        slashed = Credential("tokens", f"{one.base_url}/", Secret("sk-third"))
        for brought in ([one, two], [one, slashed], [one, one]):
            with pytest.raises(InvalidRequest) as caught:
                await ask(world, credentials=brought)
            assert caught.value.code == "credential_twice"
            assert "sk-" not in caught.value.public_message
        assert models["tokens"].keys == []


@in_virtual_time
async def test_a_provider_that_embeds_elsewhere_gets_a_credential_for_each_place(
    tmp_path: Path,
) -> None:
    models = _models()
    embedder = KeyedEmbedder("tokens", "https://vectors.example")
    only = KeyedEmbedder("vectors", "https://three.example")
    async with open_world(
        tmp_path,
        clock=LoopClock(),
        chat_models=models,
        embedders={"tokens": embedder, "vectors": only},
    ) as world:
        bind = world.tk.bind_credential
        chat = await bind(provider="tokens", secret=Secret("sk-c"))
        embeds = await bind(provider="tokens", secret=Secret("sk-e"), port="embedder")
        assert (chat.base_url, embeds.base_url) == (
            "https://one.example",
            "https://vectors.example",
        )
        assert chat == await bind(provider="tokens", secret=Secret("sk-c"), port="chat_model")
        both = [embeds, chat]
        await ask(world, credentials=both)
        call: dict[str, Any] = {"model": "tokens/m", "texts": ["one"]}
        await world.tk.embed(world.principal, credentials=both, **call)
        assert (models["tokens"].keys, embedder.keys) == (["sk-c"], ["sk-e"])
        with pytest.raises(CredentialsRefused) as caught:
            await world.tk.embed(world.principal, credentials=[chat], **call)
        assert caught.value.code == "credential_bound_elsewhere"
        assert embedder.keys == ["sk-e"]
        alone = await bind(provider="vectors", secret=Secret("sk-v"))
        assert alone.base_url == "https://three.example"
        with pytest.raises(NotFound) as unknown:
            await bind(provider="vectors", secret=Secret("sk-v"), port="chat_model")
        assert unknown.value.code == "provider_unknown"
        wrong: Any = "transcriber"
        with pytest.raises(InvalidRequest, match="port is"):
            await bind(provider="tokens", secret=Secret("sk"), port=wrong)
        for empty in ([], [embeds, embeds]):
            with pytest.raises(InvalidRequest):
                await world.tk.embed(world.principal, credentials=empty, **call)


@in_virtual_time
@pytest.mark.parametrize("credentials", ["sk-tenant", [Secret("sk")], 5, [None]], ids=repr)
async def test_credentials_are_made_by_binding(tmp_path: Path, credentials: Any) -> None:
    async with open_world(tmp_path, clock=LoopClock(), chat_models=_models()) as world:
        with pytest.raises(InvalidRequest, match="bind_credential"):
            await ask(world, credentials=credentials, timeout=timedelta(seconds=5))


@in_virtual_time
async def test_a_credential_is_bound_to_where_the_provider_is_served(tmp_path: Path) -> None:
    models = {**_models(), "plain": MemoryChatModel(answer())}
    async with open_world(tmp_path, clock=LoopClock(), chat_models=models) as world:
        bound = await _bound(world, "spare")
        assert (bound.provider, bound.base_url) == ("spare", "https://two.example")
        assert "sk-tenant" not in repr(bound)
        with pytest.raises(NotFound) as caught:
            await _bound(world, "nobody")
        assert caught.value.code == "provider_unknown"
        with pytest.raises(Unsupported) as refused:
            await _bound(world, "plain")
        assert refused.value.code == "credential_not_taken"
        for text in ("", "with blank"):
            with pytest.raises(InvalidRequest):
                await _bound(world, "spare", text)
