"""TLS to PostgreSQL, which every server on another machine is reached by unless the URL says no."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.servers.certificates import ANOTHER_AUTHORITY, AUTHORITY, server_context
from tests.servers.postgres import migrated_database
from tests.servers.postgres_tls import postgres_over_tls
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.adapters.postgres.tables import PostgresTables
from tollkeeper.domain.errors import Unavailable
from tollkeeper.infra.schema_versions import migrate, state_of

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a database with the whole schema."""
    with migrated_database() as url:
        yield url


def _at(url: str, port: int, options: str) -> str:
    return f"{url.replace(f':{urlsplit(url).port}/', f':{port}/')}?{options}"


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


@pytest.mark.parametrize(
    "options", [f"sslmode=verify-full&sslrootcert={AUTHORITY}", "sslmode=require"]
)
async def test_everything_goes_over_tls(database: str, options: str) -> None:
    async with postgres_over_tls(_port(database), server_context()) as port:
        url = _at(database, port, options)
        assert (await migrate(url)).missing == (await state_of(url)).missing == ()
        async with PostgresStore.from_url(url) as store, PostgresTables.from_url(url) as tables:
            assert "PostgreSQL" in await store.health()
            assert "PostgreSQL" in await tables.health()
            assert await store.audit_log.entries(account="nobody") == ()


@pytest.mark.parametrize(
    ("name", "authority"),
    [("server", ""), ("server", ANOTHER_AUTHORITY), ("elsewhere", AUTHORITY)],
    ids=["unknown authority", "another authority", "another name"],
)
async def test_a_server_that_cannot_be_trusted_is_not_talked_to(
    database: str, name: str, authority: str
) -> None:
    async with postgres_over_tls(_port(database), server_context(name=name)) as port:
        options = "sslmode=verify-full" + (f"&sslrootcert={authority}" if authority else "")
        url = _at(database, port, options)
        with pytest.raises(Unavailable, match="sslrootcert") as refused:
            async with PostgresStore.from_url(url):
                pytest.fail("it was trusted")
        assert not refused.value.ambiguous
        with pytest.raises(Unavailable, match="sslrootcert"):
            await migrate(url)


async def test_a_server_without_tls_is_told_from_one_that_is_away(database: str) -> None:
    with pytest.raises(Unavailable, match="sslmode"):
        async with PostgresStore.from_url(f"{database}?sslmode=require"):
            pytest.fail("nothing was encrypted")
