"""The work of the ledger's benchmark: who is charged, how much, and in which database."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent

HOT, MANY = "hot", "many"
"""The modes: one account, or a thousand in turn."""
ACCOUNTS = ("acme", *(f"account_{n:03d}" for n in range(1000)))
CREDIT = Money.of("1000000", "USD")
HELD = Money(50_000, "USD")
TAKEN = Money(20_000, "USD")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)
PURPOSE = "chat:complete offline/echo"


def account_of(mode: str, number: int) -> str:
    """Say whom the call of that number charges."""
    return ACCOUNTS[0] if mode == HOT else ACCOUNTS[1 + number % 1000]


def event_of(call: str, account: str) -> UsageEvent:
    """Measure the call."""
    return UsageEvent(
        id=f"{call}:output_tokens",
        account=account,
        key_id="key_1",
        call_id=call,
        operation="chat:complete",
        model="offline/echo",
        meter=Meter.OUTPUT_TOKENS,
        quantity=10,
        provenance=Provenance.REPORTED,
        cost=TAKEN,
        charge=TAKEN,
        price_id="offline/*@2026-01-01",
        occurred_at=NOW,
    )


@contextmanager
def postgres_running() -> Iterator[str]:
    """Run a PostgreSQL that keeps what it acknowledged, and give the URL of a database on it.

    Its data is in ``/var/tmp``, which is on a disk where ``/tmp`` may not be.
    """
    from tests.servers.postgres import own_postgres

    with own_postgres("fsync=on", place="/var/tmp") as server:
        yield server.url


async def new_database(server: str) -> str:
    """Make a database with our schema, and return its URL."""
    from tests.servers.postgres import run_sql, url_of
    from tollkeeper.infra.schema_versions import migrate

    name = f"bench_{uuid.uuid4().hex}"
    await run_sql(server, f'CREATE DATABASE "{name}"')
    url = url_of(server, name)
    await migrate(url)
    return url
