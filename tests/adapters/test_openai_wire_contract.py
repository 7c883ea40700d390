"""The contract of wire formats, in each dialect of chat completions."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.adapters.wire_contract_cases import Servers, WireUpstream, all_servers
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.contracts.chat_wire import ChatWireContract
from tollkeeper.contracts.chat_wire_upstream import Connect
from tollkeeper.domain.secret import Secret

PATIENT = timedelta(seconds=30)


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with all_servers() as servers:
        yield servers


class OpenaiChatModelOnWire(ChatWireContract):
    provider: str

    @pytest.fixture
    def upstream(self, servers: Servers) -> WireUpstream:
        return WireUpstream(servers(self.provider), self.provider)

    @pytest.fixture
    def connect(self, upstream: WireUpstream) -> Connect:
        def connect(
            *,
            api_key: Secret | None,
            base_url: str | None = None,
            patience: timedelta | None = None,
        ) -> OpenaiChatModel:
            return OpenaiChatModel(
                base_url or upstream.base_url,
                api_key,
                provider=upstream.provider,
                idle_timeout=patience or PATIENT,
                total_timeout=patience or PATIENT,
            )

        return connect


class TestOpenaiChatModelOnOpenai(OpenaiChatModelOnWire):
    provider = "openai"


class TestOpenaiChatModelOnGroq(OpenaiChatModelOnWire):
    provider = "groq"


class TestOpenaiChatModelOnOpenrouter(OpenaiChatModelOnWire):
    provider = "openrouter"


class TestOpenaiChatModelOnXai(OpenaiChatModelOnWire):
    provider = "xai"


class TestOpenaiChatModelOnMorph(OpenaiChatModelOnWire):
    provider = "morph"


class TestOpenaiChatModelOnGemini(OpenaiChatModelOnWire):
    provider = "gemini"
