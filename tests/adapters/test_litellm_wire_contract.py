"""The contract of wire formats, in each of the seven that litellm translates."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.adapters.wire_contract_cases import Servers, WireUpstream, all_servers
from tollkeeper.adapters.litellm.chat_model import LitellmChatModel
from tollkeeper.contracts.chat_wire import ChatWireContract
from tollkeeper.contracts.chat_wire_upstream import Connect
from tollkeeper.domain.secret import Secret

PATIENT = timedelta(seconds=30)


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with all_servers() as servers:
        yield servers


class LitellmChatModelOnWire(ChatWireContract):
    provider: str
    format: str

    @pytest.fixture
    def upstream(self, servers: Servers) -> WireUpstream:
        return WireUpstream(servers(self.format), self.provider)

    @pytest.fixture
    def connect(self, upstream: WireUpstream) -> Connect:
        def connect(
            *,
            api_key: Secret | None,
            base_url: str | None = None,
            patience: timedelta | None = None,
        ) -> LitellmChatModel:
            return LitellmChatModel(
                base_url or upstream.base_url,
                api_key,
                provider=upstream.provider,
                idle_timeout=patience or PATIENT,
                total_timeout=patience or PATIENT,
            )

        return connect


class TestLitellmChatModelOnOpenai(LitellmChatModelOnWire):
    provider = format = "openai"


class TestLitellmChatModelOnAnthropic(LitellmChatModelOnWire):
    provider = format = "anthropic"


class TestLitellmChatModelOnGroq(LitellmChatModelOnWire):
    provider = format = "groq"


class TestLitellmChatModelOnOpenrouter(LitellmChatModelOnWire):
    provider = format = "openrouter"


class TestLitellmChatModelOnXai(LitellmChatModelOnWire):
    provider = format = "xai"


class TestLitellmChatModelOnMorph(LitellmChatModelOnWire):
    provider = format = "morph"


class TestLitellmChatModelOnGemini(LitellmChatModelOnWire):
    provider = "gemini"
    format = "gemini-native"
