"""Short ways to call a SQLite store, which its tests and their worker processes share."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tollkeeper.contracts.samples import a_usage_event, an_attempt, new_id, usd
from tollkeeper.domain.ledger import Entry, Hold
from tollkeeper.domain.money import Money
from tollkeeper.ports.ledger import Ledger
from tollkeeper.ports.store import Store

NOW = datetime(2001, 1, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
CENT = usd("0.01")


async def grant(store: Store, amount: Money, key: str = "a grant", account: str = "acme") -> Entry:
    """Add credit."""
    return await store.ledger.grant(
        account=account, amount=amount, idempotency_key=key, entry_id=new_id("entry"), at=NOW
    )


async def place_on(ledger: Ledger, key: str, amount: Money = CENT, account: str = "acme") -> Hold:
    """Set money aside for ten minutes."""
    return await ledger.place_hold(
        hold_id=new_id("hold"),
        account=account,
        amount=amount,
        purpose="a call",
        idempotency_key=key,
        expires_at=NOW + timedelta(minutes=10),
        at=NOW,
    )


async def place(store: Store, key: str, amount: Money = CENT, account: str = "acme") -> Hold:
    """Set money aside for ten minutes."""
    return await place_on(store.ledger, key, amount, account)


async def capture(store: Store, hold: Hold) -> Entry:
    """Take the whole hold, with one usage event and one attempt."""
    event = a_usage_event(hold.account, at=NOW, id=f"of {hold.id}", charge=hold.amount)
    return await store.ledger.capture(
        hold_id=hold.id,
        amount=hold.amount,
        usage=[event],
        entry_id=f"entry-{hold.id}",
        at=NOW,
        attempts=[an_attempt(hold.account, at=NOW, id=f"attempt of {hold.id}")],
    )


async def release(store: Store, hold: Hold) -> Hold:
    """Give the whole hold back, with one attempt."""
    attempt = an_attempt(hold.account, at=NOW, id=f"attempt of {hold.id}")
    return await store.ledger.release(hold_id=hold.id, at=NOW, attempts=[attempt])


async def call(store: Store, key: str, account: str = "acme") -> Entry:
    """Place a hold and capture it."""
    return await capture(store, await place(store, key, account=account))


async def books(store: Store, account: str = "acme") -> tuple[Money, Money]:
    """Check that the balance is the sum of the entries; return what is posted and held."""
    balance = await store.ledger.balance(account=account, currency="USD")
    entries = await store.ledger.entries(account=account, currency="USD", limit=100_000)
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert balance.posted == sum((entry.amount for entry in entries), usd(0))
    assert balance.sequence == len(entries)
    return balance.posted, balance.held


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Look into the file behind the adapter."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()
