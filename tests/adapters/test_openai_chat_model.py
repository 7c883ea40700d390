"""The OpenAI-wire chat model against a real HTTP server on loopback."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from tests.adapters.openai_calls import asking_for as asking
from tests.adapters.openai_calls import streamed
from tests.servers.openai_plays import PLAYS
from tests.servers.openai_server import OpenaiServer, openai_server
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.contracts.chat_model import ChatModelContract
from tollkeeper.domain.errors import (
    CredentialsRefused,
    Unavailable,
)
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.tools import Tool

pytestmark = pytest.mark.anyio

SOON = timedelta(seconds=0.15)


class TestOpenaiChatModel(ChatModelContract):
    @pytest.fixture
    async def another_chat_model(self, server: OpenaiServer) -> AsyncIterator[OpenaiChatModel]:
        async with OpenaiChatModel(server.base_url, Secret("sk-other")) as chat_model:
            yield chat_model

    @pytest.fixture
    def model(self) -> str:
        return "echo"


class TestOpenaiChatModelByteByByte(TestOpenaiChatModel):
    """Each byte of each streamed answer is a packet of its own."""

    @pytest.fixture(autouse=True)
    def every_byte(self, server: OpenaiServer) -> Iterator[None]:
        server.plays["echo"] = lambda body: PLAYS["every-byte" if body.get("stream") else "echo"](
            body
        )
        yield
        del server.plays["echo"]


@pytest.mark.parametrize("model", ["tool-split", "every-byte"])
async def test_arguments_that_are_cut_anywhere_are_put_together(
    chat_model: OpenaiChatModel, model: str
) -> None:
    tool = Tool("get_weather", parameters={"type": "object", "properties": {"city": {}}})
    request = asking(model, "Use get_weather", tools=(tool,))
    (call,) = (await streamed(chat_model, request)).tool_calls
    assert call.parsed_arguments() == {"city": "Zürich 🚠"}


async def test_a_stream_and_a_whole_answer_say_the_same(chat_model: OpenaiChatModel) -> None:
    request = asking("echo", "Grüezi 世界 🌍")
    whole = await chat_model.complete(request)
    assert await streamed(chat_model, request) == whole
    assert whole.usage is not None
    assert whole.usage.cached_input == 1


async def test_what_goes_out_is_the_request_and_the_key(
    chat_model: OpenaiChatModel, server: OpenaiServer
) -> None:
    await chat_model.complete(asking("echo"))
    seen = server.last
    assert (seen.method, seen.path) == ("POST", "/v1/chat/completions")
    assert seen.headers["authorization"] == "Bearer sk-right"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["user-agent"] == "tollkeeper"
    assert not seen.headers.keys() & {"cookie", "expect", "referer"}
    assert seen.json["max_tokens"] == 64


async def test_health_asks_for_the_models(
    chat_model: OpenaiChatModel, server: OpenaiServer
) -> None:
    assert server.base_url in await chat_model.health()
    assert (server.last.method, server.last.path) == ("GET", "/v1/models")


async def test_health_tells_a_wrong_key_from_a_server_that_is_gone() -> None:
    with openai_server(api_key="sk-right") as server:
        base_url = server.base_url
        async with OpenaiChatModel(base_url, Secret("sk-wrong")) as chat_model:
            with pytest.raises(CredentialsRefused):
                await chat_model.health()
        async with OpenaiChatModel(f"{server.player.origin}/v2", Secret("sk-right")) as chat_model:
            assert await chat_model.health(), "a server without a list of models is there too"
    async with OpenaiChatModel(base_url) as chat_model:
        with pytest.raises(Unavailable):
            await chat_model.health()
