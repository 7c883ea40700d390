"""The environment's source keeps the contract, and reads no environment but the one it is given."""

import pytest

from tollkeeper.adapters.environment.secret_source import EnvironmentSecretSource
from tollkeeper.contracts.secret_source import Put, SecretSourceContract
from tollkeeper.domain.errors import ConfigurationError, NotFound

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class TestEnvironmentSecretSource(SecretSourceContract):
    @pytest.fixture
    def environ(self) -> dict[str, str]:
        return {"TOLLKEEPER_OTHER": "other"}

    @pytest.fixture
    def secret_source(self, environ: dict[str, str]) -> EnvironmentSecretSource:
        return EnvironmentSecretSource.from_url("env://TOLLKEEPER_", environ=environ)

    @pytest.fixture
    def put(self, environ: dict[str, str]) -> Put:
        async def put(name: str, text: str | None) -> None:
            environ.pop(f"TOLLKEEPER_{name}", None)
            if text is not None:
                environ[f"TOLLKEEPER_{name}"] = text

        return put


async def test_without_a_prefix_a_secret_has_the_name_of_its_variable() -> None:
    source = EnvironmentSecretSource.from_url("env://", environ={"OPENAI_API_KEY": "sk-1"})
    assert (await source.secret("OPENAI_API_KEY")).reveal() == "sk-1"


async def test_variables_without_the_prefix_are_out_of_reach() -> None:
    environ = {"PATH": "/bin", "APP_PATH": "right"}
    source = EnvironmentSecretSource.from_url("env://APP_", environ=environ)
    assert (await source.secret("PATH")).reveal() == "right"
    with pytest.raises(NotFound, match="set the variable 'APP_APP_PATH'"):
        await source.secret("APP_PATH")


async def test_the_process_environment_is_not_looked_at() -> None:
    with pytest.raises(NotFound):
        await EnvironmentSecretSource.from_url("env://", environ={}).secret("PATH")


def test_its_repr_shows_no_variable() -> None:
    source = EnvironmentSecretSource({"KEY": "sk-1"}, "APP_")
    assert repr(source) == "EnvironmentSecretSource(prefix='APP_')"


@pytest.mark.parametrize(
    "url",
    ["env:", "env:/A_", "env://A-B", "env://A_/", "env://1A", "env://A_?b=c", "environment://", ""],
)
def test_url_that_reads_otherwise_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="write env://"):
        EnvironmentSecretSource.from_url(url, environ={})
