"""The contract of wire formats, on the Messages API."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.adapters.wire_contract_cases import Servers, WireUpstream, all_servers
from tollkeeper.adapters.anthropic.chat_model import AnthropicChatModel
from tollkeeper.contracts.chat_wire import ChatWireContract
from tollkeeper.contracts.chat_wire_upstream import Connect
from tollkeeper.domain.secret import Secret

PATIENT = timedelta(seconds=30)


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with all_servers() as servers:
        yield servers


class TestAnthropicChatModelOnAnthropic(ChatWireContract):
    @pytest.fixture
    def upstream(self, servers: Servers) -> WireUpstream:
        return WireUpstream(servers("anthropic"), "anthropic")

    @pytest.fixture
    def connect(self, upstream: WireUpstream) -> Connect:
        def connect(
            *,
            api_key: Secret | None,
            base_url: str | None = None,
            patience: timedelta | None = None,
        ) -> AnthropicChatModel:
            return AnthropicChatModel(
                base_url or upstream.base_url,
                api_key,
                idle_timeout=patience or PATIENT,
                total_timeout=patience or PATIENT,
            )

        return connect
