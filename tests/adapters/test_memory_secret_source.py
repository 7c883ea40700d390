"""The memory source keeps the contract of a source of secrets."""

import pytest

from tollkeeper.adapters.memory.secret_source import MemorySecretSource
from tollkeeper.contracts.secret_source import Put, SecretSourceContract
from tollkeeper.domain.secret import Secret


class TestMemorySecretSource(SecretSourceContract):
    @pytest.fixture
    def secret_source(self) -> MemorySecretSource:
        return MemorySecretSource.of({"openai": "sk-1"})

    @pytest.fixture
    def put(self, secret_source: MemorySecretSource) -> Put:
        async def put(name: str, text: str | None) -> None:
            secret_source.secrets.pop(name, None)
            if text is not None:
                secret_source.secrets[name] = Secret(text)

        return put

    async def test_it_is_made_of_texts(self, secret_source: MemorySecretSource) -> None:
        assert (await secret_source.secret("openai")).reveal() == "sk-1"
