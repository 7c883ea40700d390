"""Reports from a streaming replica: what only reads works there, and changes are refused."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.application.world import open_world
from tests.servers.postgres import PostgresServer, migrated_database, own_postgres
from tests.servers.redis_server import free_port
from tollkeeper import user
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.contracts.samples import a_usage_event
from tollkeeper.domain.errors import Unavailable

pytestmark = [pytest.mark.anyio, pytest.mark.soak]


@contextmanager
def standby_of(primary: PostgresServer) -> Iterator[PostgresServer]:
    """Run a server that follows *primary*, which is stopped for a moment to copy its data."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name:
        folder = Path(name)
        primary.stop()
        shutil.copytree(primary.folder / "data", folder / "data")
        (folder / "data" / "standby.signal").touch()
        if os.getuid() == 0:
            owner = (primary.folder / "data").stat()
            for place in (folder, *folder.rglob("*")):
                os.chown(place, owner.st_uid, owner.st_gid)
        primary.start()
        follows = f"primary_conninfo=host=127.0.0.1 port={primary.port} user=postgres"
        standby = PostgresServer(folder, primary.binaries, free_port(), (follows,))
        try:
            standby.start()
            yield standby
        finally:
            standby.stop()


@pytest.fixture
def databases() -> Iterator[tuple[str, str]]:
    """The URLs of one database at its primary and at its replica."""
    with (
        own_postgres() as primary,
        migrated_database(primary.url) as url,
        standby_of(primary) as standby,
    ):
        yield url, url.replace(f":{urlsplit(url).port}/", f":{standby.port}/")


async def test_a_streaming_replica_reports_and_changes_nothing(
    tmp_path: Path, databases: tuple[str, str]
) -> None:
    primary, replica = databases
    async with (
        open_world(tmp_path, store=primary) as world,
        PostgresStore.from_url(f"{replica}?timeout=2") as reports,
    ):
        await world.tk.complete(world.principal, model="offline/echo", messages=[user("hello")])
        async with asyncio.timeout(10):
            while len(await reports.ledger.entries(account="acme", currency="USD")) < 2:
                await asyncio.sleep(0.05)
        assert "PostgreSQL" in await reports.health()
        assert await reports.usage_log.totals(account="acme")
        assert await reports.usage_log.events(account="acme")
        assert await reports.attempt_log.attempts(account="acme")
        assert await reports.audit_log.entries(account="acme") == ()
        balance = await reports.ledger.balance(account="acme", currency="USD")
        assert balance.posted.amount == "0.99"
        with pytest.raises(Unavailable, match="read-only"):
            await reports.usage_log.record([a_usage_event("acme", at=MemoryClock().now())])
