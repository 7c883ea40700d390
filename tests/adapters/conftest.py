"""Fixtures of the tests on the OpenAI wire: a server, and a model that talks to it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.servers.openai_server import OpenaiServer, openai_server
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.domain.secret import Secret


@pytest.fixture(scope="module")
def shared_server() -> Iterator[OpenaiServer]:
    with openai_server() as server:
        yield server


@pytest.fixture
def server(shared_server: OpenaiServer) -> OpenaiServer:
    shared_server.requests.clear()
    return shared_server


@pytest.fixture
async def chat_model(server: OpenaiServer) -> AsyncIterator[OpenaiChatModel]:
    async with OpenaiChatModel(server.base_url, Secret("sk-right")) as chat_model:
        yield chat_model
