"""The environment's source keeps the contract of versioned secrets."""

import pytest

from tollkeeper.adapters.environment.secret_source import EnvironmentSecretSource
from tollkeeper.contracts.versioned_secrets import Rotate, VersionedSecretsContract, texts
from tollkeeper.domain.errors import NotFound
from tollkeeper.ports.versioned_secrets import VersionedSecretSource

pytestmark = pytest.mark.anyio


class TestEnvironmentVersionedSecrets(VersionedSecretsContract):
    @pytest.fixture
    def environ(self) -> dict[str, str]:
        return {"TK_OTHER": "other"}

    @pytest.fixture
    def versioned_secrets(self, environ: dict[str, str]) -> EnvironmentSecretSource:
        return EnvironmentSecretSource.from_url("env://TK_", environ=environ)

    @pytest.fixture
    def rotate(self, environ: dict[str, str]) -> Rotate:
        async def rotate(name: str, text: str | None) -> None:
            before = environ.pop(f"TK_{name}", None)
            environ.pop(f"TK_{name}_PREVIOUS", None)
            if text is not None:
                environ[f"TK_{name}"] = text
                environ.update({f"TK_{name}_PREVIOUS": before} if before else {})

        return rotate


def test_it_says_that_it_keeps_versions() -> None:
    assert isinstance(EnvironmentSecretSource({}), VersionedSecretSource)


async def test_a_previous_version_that_is_empty_is_none() -> None:
    source = EnvironmentSecretSource({"key": "now", "key_PREVIOUS": ""})
    assert texts(await source.versions("key")) == ("now", None)


async def test_a_previous_version_alone_is_no_secret() -> None:
    with pytest.raises(NotFound):
        await EnvironmentSecretSource({"key_PREVIOUS": "before"}).versions("key")
