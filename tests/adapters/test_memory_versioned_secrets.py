"""The memory source keeps the contract of versioned secrets."""

import pytest

from tollkeeper.adapters.memory.secret_source import MemorySecretSource
from tollkeeper.contracts.versioned_secrets import Rotate, VersionedSecretsContract
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.versioned_secrets import VersionedSecretSource


class TestMemoryVersionedSecrets(VersionedSecretsContract):
    @pytest.fixture
    def versioned_secrets(self) -> MemorySecretSource:
        return MemorySecretSource()

    @pytest.fixture
    def rotate(self, versioned_secrets: MemorySecretSource) -> Rotate:
        kept, previous = versioned_secrets.secrets, versioned_secrets.previous

        async def rotate(name: str, text: str | None) -> None:
            before = kept.pop(name, None)
            previous.pop(name, None)
            if text is not None:
                kept[name] = Secret(text)
                previous.update({name: before} if before else {})

        return rotate


def test_it_says_that_it_keeps_versions() -> None:
    assert isinstance(MemorySecretSource(), VersionedSecretSource)
