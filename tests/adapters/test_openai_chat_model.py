import pytest

from tests.servers.openai_server import openai_server
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.contracts.chat_model import ChatModelContract


class TestOpenai(ChatModelContract):
    @pytest.fixture
    def server(self):
        with openai_server() as server:
            yield server

    @pytest.fixture
    async def chat_model(self, server):
        async with OpenaiChatModel(server.base_url) as m:
            yield m

    @pytest.fixture
    async def another_chat_model(self, server):
        async with OpenaiChatModel(server.base_url) as m:
            yield m

    @pytest.fixture
    def model(self) -> str:
        return "echo"
