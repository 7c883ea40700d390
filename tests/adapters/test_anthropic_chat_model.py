"""The contract of chat models, on Anthropic's wire."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.adapters.anthropic_calls import KEY, anthropic_server
from tests.servers.wire_server import WireServer
from tollkeeper.adapters.anthropic.chat_model import AnthropicChatModel
from tollkeeper.contracts.chat_model import ChatModelContract
from tollkeeper.domain.secret import Secret


@pytest.fixture(scope="module")
def server() -> Iterator[WireServer]:
    with anthropic_server() as server:
        yield server


class TestAnthropicChatModel(ChatModelContract):
    @pytest.fixture
    async def chat_model(self, server: WireServer) -> AsyncIterator[AnthropicChatModel]:
        async with AnthropicChatModel(server.base_url, Secret(KEY)) as chat_model:
            yield chat_model

    @pytest.fixture
    async def another_chat_model(self, server: WireServer) -> AsyncIterator[AnthropicChatModel]:
        async with AnthropicChatModel(server.base_url, Secret(KEY)) as chat_model:
            yield chat_model

    @pytest.fixture
    def model(self) -> str:
        return "echo"
