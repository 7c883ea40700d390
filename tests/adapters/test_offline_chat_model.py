import pytest
from tollkeeper.adapters.offline.chat_model import OfflineChatModel
from tollkeeper.contracts.chat_model import ChatModelContract

class TestOfflineChatModel(ChatModelContract):
    @pytest.fixture
    async def chat_model(self) -> OfflineChatModel:
        return OfflineChatModel()
    @pytest.fixture
    def model(self) -> str:
        return "echo"
