"""Databases for the tests of the PostgreSQL adapters: import the fixtures that a file needs."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.servers.postgres import migrated_database
from tollkeeper.adapters.postgres.connections import PostgresConnections


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    """The URL of a database with the whole schema and nothing in it, for one file of tests."""
    with migrated_database() as url:
        yield url


class OnPostgres:
    """Connections to the file's database, as the pools of direct connections are."""

    options = ""

    @pytest.fixture
    async def connections(self, postgres_url: str) -> AsyncIterator[PostgresConnections]:
        """Open connections."""
        async with PostgresConnections.from_url(f"{postgres_url}?{self.options}") as connections:
            yield connections


class BehindAPooler(OnPostgres):
    """Connections as they are made behind a pooler in transaction mode."""

    options = "pooler=transaction"
