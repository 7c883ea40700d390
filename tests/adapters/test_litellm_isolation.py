"""Keys stay where they belong, and what a host does with litellm reaches no call of ours."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.adapters.litellm_calls import KEY, PROVIDERS, ask, asking, model_at, provider_server
from tests.servers.wire import scenarios
from tests.servers.wire_server import WireServer
from tollkeeper.adapters.litellm.chat_model import LitellmChatModel
from tollkeeper.adapters.litellm.quiet import load
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import ConfigurationError, CredentialsRefused, Unsupported
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def server(provider: str) -> Iterator[WireServer]:
    with provider_server(provider, None) as server:
        yield server


async def test_two_adapters_with_two_keys_never_send_each_others(
    server: WireServer, provider: str
) -> None:
    async def talk(number: int) -> None:
        async with LitellmChatModel(
            server.base_url, Secret(f"key-of-tenant-{number}"), provider=provider
        ) as model:
            for turn in range(10):
                text = f"tenant-{number}"
                answer = await ask(model, asking(text=text), streamed=bool(turn % 2))
                assert answer.text == text

    await asyncio.gather(*map(talk, range(5)))
    assert len(server.requests) == 50
    for seen in server.requests:
        assert server.format.key_of(seen) == f"key-of-{server.format.asked(seen).text}"


async def test_a_key_that_comes_with_a_call_goes_out_with_that_call_alone(
    server: WireServer, provider: str
) -> None:
    theirs = Credential(provider, server.base_url, Secret("key-of-the-tenant"))
    async with model_at(server, provider) as model:
        await asyncio.gather(
            *(
                ask(model, asking(text=name), streamed=True, credential=credential)
                for name, credential in (("ours", None), ("theirs", theirs)) * 10
            )
        )
    keys = {"ours": KEY, "theirs": "key-of-the-tenant"}
    assert len(server.requests) == 20
    for seen in server.requests:
        assert server.format.key_of(seen) == keys[server.format.asked(seen).text]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_without_a_key_nothing_is_sent(
    server: WireServer, provider: str, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{provider.upper()}_API_KEY", "sk-of-the-environment")
    elsewhere = [
        Credential("another", server.base_url, Secret("k")),
        Credential(provider, "https://elsewhere.example", Secret("k")),
    ]
    async with LitellmChatModel(server.base_url, provider=provider) as model:
        with pytest.raises(CredentialsRefused) as raised:
            await ask(model, asking(), streamed=streamed)
        assert raised.value.code == "credential_missing"
        for credential in elsewhere:
            with pytest.raises(CredentialsRefused) as raised:
                await ask(model, asking(), streamed=streamed, credential=credential)
            assert raised.value.code == "credential_bound_elsewhere"
        assert await model.health() == f"{server.base_url} answers"
    assert [seen.method for seen in server.requests] == ["GET"]
    assert server.format.key_of(server.last) == ""


async def test_what_a_host_sets_in_litellm_has_no_part_in_a_call(
    server: WireServer, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    litellm: Any = load("litellm")
    heard: list[object] = []
    hostile = {
        "api_key": "sk-of-the-host",
        "openai_key": "sk-of-the-host",
        "anthropic_key": "sk-of-the-host",
        "api_base": "http://127.0.0.1:9",
        "headers": {"x-host": "leaks"},
        "num_retries": 3,
        "model_fallbacks": ["openai/gpt-0"],
        "model_alias_map": {"echo": "another-model"},
        "success_callback": [lambda *said: heard.append(said)],
        "failure_callback": [lambda *said: heard.append(said)],
        "input_callback": [lambda *said: heard.append(said)],
        "callbacks": [lambda *said: heard.append(said)],
    }
    for name, value in hostile.items():
        monkeypatch.setattr(litellm, name, value)
    async with model_at(server, provider) as model:
        for streamed in (False, True):
            assert (await ask(model, asking(text="one"), streamed=streamed)).text == "one"
    await asyncio.sleep(0)
    assert heard == []
    assert {server.format.key_of(seen) for seen in server.requests} == {KEY}
    assert {server.format.model_of(seen) for seen in server.requests} == {"echo"}
    assert not any("x-host" in seen.headers for seen in server.requests)
    assert len(server.requests) == 2
    assert litellm.num_retries == 3


async def test_a_host_that_has_litellm_drop_parameters_does_not_drop_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load("litellm"), "drop_params", True)
    with provider_server("anthropic") as server:
        async with model_at(server, "anthropic") as model:
            with pytest.raises(Unsupported, match="seed"):
                await model.complete(asking(seed=7))
            answer = await model.complete(asking(seed=7, on_unsupported="drop"))
            assert answer.warnings == ("seed was dropped: echo does not take it",)
        assert len(server.requests) == 1


async def test_a_client_that_leaves_closes_the_connection_at_once(
    server: WireServer, provider: str
) -> None:
    server.script("stalls", scenarios.breaks("stall", 5))
    before = asyncio.all_tasks()
    async with model_at(server, provider) as model:
        stream = model.stream(asking("stalls", "one two three four five six"))
        await anext(stream)
        await stream.aclose()
        assert await server.last.has_ended(within=1.0)
        assert server.last.disconnected
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("name", ["bedrock", "vertex_ai", "sagemaker", "github_copilot", "watsonx"])
def test_a_provider_that_litellm_logs_in_to_is_refused_at_once(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"logs in to {name}"):
        LitellmChatModel("https://host.example/v1", Secret(KEY), provider=name)


async def test_a_provider_that_litellm_does_not_know_is_named() -> None:
    async with LitellmChatModel("https://host.example/v1", Secret(KEY), provider="ours") as model:
        with pytest.raises(ConfigurationError, match="knows no provider 'ours'"):
            await model.complete(asking())


@pytest.mark.parametrize("name", ["voyage", "langgraph"])
async def test_a_provider_that_litellm_reaches_with_its_own_transport_is_named(name: str) -> None:
    async with LitellmChatModel("https://host.example/v1", Secret(KEY), provider=name) as model:
        with pytest.raises(ConfigurationError, match=f"chat models of {name}"):
            await model.complete(asking())
