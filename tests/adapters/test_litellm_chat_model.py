"""The contract of chat models, through litellm, on the wire of seven providers."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.adapters.litellm_calls import model_at, provider_server
from tests.servers.wire_server import WireServer
from tollkeeper.adapters.litellm.chat_model import LitellmChatModel
from tollkeeper.contracts.chat_model import ChatModelContract


class _OnTheWire(ChatModelContract):
    provider = ""

    @pytest.fixture
    def server(self) -> Iterator[WireServer]:
        with provider_server(self.provider) as server:
            yield server

    @pytest.fixture
    async def chat_model(self, server: WireServer) -> AsyncIterator[LitellmChatModel]:
        async with model_at(server, self.provider) as chat_model:
            yield chat_model

    @pytest.fixture
    async def another_chat_model(self, server: WireServer) -> AsyncIterator[LitellmChatModel]:
        async with model_at(server, self.provider) as chat_model:
            yield chat_model

    @pytest.fixture
    def model(self) -> str:
        return "echo"


class TestLitellmChatModelOpenai(_OnTheWire):
    provider = "openai"


class TestLitellmChatModelGroq(_OnTheWire):
    provider = "groq"


class TestLitellmChatModelOpenrouter(_OnTheWire):
    provider = "openrouter"


class TestLitellmChatModelXai(_OnTheWire):
    provider = "xai"


class TestLitellmChatModelMorph(_OnTheWire):
    provider = "morph"


class TestLitellmChatModelGemini(_OnTheWire):
    provider = "gemini"


class TestLitellmChatModelAnthropic(_OnTheWire):
    provider = "anthropic"
