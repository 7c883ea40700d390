"""Whose key goes out with a call, and where it never goes."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.adapters.anthropic_calls import KEY, anthropic_server, ask, asking
from tests.servers.wire_server import WireServer
from tollkeeper.adapters.anthropic.chat_model import AnthropicChatModel
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import CredentialsRefused
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def shared() -> Iterator[WireServer]:
    with anthropic_server(api_key=None) as server:
        yield server


@pytest.fixture
def server(shared: WireServer) -> WireServer:
    shared.requests.clear()
    return shared


@pytest.fixture
async def chat_model(server: WireServer) -> AsyncIterator[AnthropicChatModel]:
    async with AnthropicChatModel(server.base_url, Secret(KEY)) as chat_model:
        yield chat_model


@BOTH
async def test_a_callers_own_key_goes_out_in_place_of_the_adapters(
    chat_model: AnthropicChatModel, server: WireServer, streamed: bool
) -> None:
    credential = Credential("anthropic", server.base_url + "/", Secret("sk-tenant"))
    await ask(chat_model, asking(), streamed=streamed, credential=credential)
    await ask(chat_model, asking(), streamed=streamed)
    assert [seen.headers["x-api-key"] for seen in server.requests] == ["sk-tenant", KEY]
    assert len({seen.connection for seen in server.requests}) == 1, "one client serves all keys"


@BOTH
async def test_a_key_that_is_bound_elsewhere_is_not_sent(
    chat_model: AnthropicChatModel, server: WireServer, streamed: bool
) -> None:
    for place in (("openai", server.base_url), ("anthropic", "https://api.anthropic.com")):
        credential = Credential(*place, Secret("sk-tenant"))
        with pytest.raises(CredentialsRefused) as raised:
            await ask(chat_model, asking(), streamed=streamed, credential=credential)
        assert raised.value.code == "credential_bound_elsewhere"
        assert raised.value.adapter == "anthropic"
    assert server.requests == []


@BOTH
async def test_without_any_key_nothing_is_sent(server: WireServer, streamed: bool) -> None:
    async with AnthropicChatModel(server.base_url) as chat_model:
        with pytest.raises(CredentialsRefused):
            await ask(chat_model, asking(), streamed=streamed)
        assert server.requests == []
        credential = Credential("anthropic", server.base_url, Secret("sk-tenant"))
        await ask(chat_model, asking(), streamed=streamed, credential=credential)
        assert server.last.headers["x-api-key"] == "sk-tenant"


async def test_many_keys_at_once_never_mix(
    chat_model: AnthropicChatModel, server: WireServer
) -> None:
    async def one(number: int) -> None:
        credential = Credential("anthropic", server.base_url, Secret(f"sk-{number}"))
        request = asking(text=f"tenant {number}")
        answer = await ask(chat_model, request, streamed=bool(number % 2), credential=credential)
        assert answer.text == f"tenant {number}"

    await asyncio.gather(*map(one, range(60)))
    assert len(server.requests) == 60
    for seen in server.requests:
        said = seen.json["messages"][0]["content"][0]["text"]
        assert seen.headers["x-api-key"] == f"sk-{said.removeprefix('tenant ')}"
