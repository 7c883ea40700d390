"""A file as version 1 of the SQLite store wrote it, kept as it was released.

Nothing here follows the adapter: these are the statements of Tollkeeper 0.1, and rows in its form.
"""

import json
import sqlite3
from pathlib import Path

_TABLES = (
    """
    CREATE TABLE balances (
        account TEXT NOT NULL,
        currency TEXT NOT NULL,
        posted INTEGER NOT NULL,
        held INTEGER NOT NULL CHECK (held >= 0),
        sequence INTEGER NOT NULL CHECK (sequence >= 0),
        PRIMARY KEY (account, currency)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE holds (
        id TEXT NOT NULL PRIMARY KEY,
        account TEXT NOT NULL,
        currency TEXT NOT NULL,
        amount INTEGER NOT NULL CHECK (amount >= 0),
        idempotency_key TEXT NOT NULL,
        purpose TEXT NOT NULL,
        placed_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('open', 'captured', 'released', 'expired')),
        captured INTEGER CHECK (captured >= 0),
        resolved_at INTEGER,
        UNIQUE (account, idempotency_key),
        CHECK (expires_at > placed_at),
        CHECK ((state = 'captured') = (captured IS NOT NULL)),
        CHECK ((state = 'open') = (resolved_at IS NULL))
    ) STRICT, WITHOUT ROWID
    """,
    # Two ways to look for overdue holds: all of them, or one account's.
    "CREATE INDEX open_holds ON holds (expires_at) WHERE state = 'open'",
    "CREATE INDEX open_holds_of ON holds (account, expires_at) WHERE state = 'open'",
    """
    CREATE TABLE entries (
        id TEXT NOT NULL UNIQUE,
        account TEXT NOT NULL,
        currency TEXT NOT NULL,
        sequence INTEGER NOT NULL CHECK (sequence > 0),
        kind TEXT NOT NULL CHECK (kind IN ('grant', 'capture')),
        amount INTEGER NOT NULL,
        balance_after INTEGER NOT NULL,
        at INTEGER NOT NULL,
        description TEXT NOT NULL,
        idempotency_key TEXT NOT NULL,
        hold_id TEXT REFERENCES holds (id),
        held INTEGER CHECK (held >= 0),
        late INTEGER NOT NULL CHECK (late IN (0, 1)),
        usage TEXT,
        PRIMARY KEY (account, currency, sequence),
        CHECK (kind <> 'grant' OR (amount > 0 AND hold_id IS NULL)),
        CHECK (
            kind <> 'capture'
            OR (amount <= 0 AND hold_id IS NOT NULL AND held IS NOT NULL AND usage IS NOT NULL)
        )
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE UNIQUE INDEX grants_by_key ON entries (account, idempotency_key) WHERE kind = 'grant'
    """,
    # A hold is captured once, whatever happens.
    "CREATE UNIQUE INDEX captures_by_hold ON entries (hold_id) WHERE hold_id IS NOT NULL",
    """
    CREATE TABLE usage_events (
        id TEXT NOT NULL PRIMARY KEY,
        account TEXT NOT NULL,
        key_id TEXT NOT NULL,
        call_id TEXT NOT NULL,
        operation TEXT NOT NULL,
        model TEXT NOT NULL,
        meter TEXT NOT NULL,
        quantity INTEGER NOT NULL CHECK (quantity >= 0),
        provenance TEXT NOT NULL,
        cost INTEGER NOT NULL,
        cost_currency TEXT NOT NULL,
        charge INTEGER NOT NULL,
        charge_currency TEXT NOT NULL,
        price_id TEXT NOT NULL,
        occurred_at INTEGER NOT NULL,
        hold_id TEXT REFERENCES holds (id),
        CHECK (hold_id IS NOT NULL OR charge = 0)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX usage_by_account ON usage_events (account, occurred_at, id)",
    """
    CREATE TABLE api_keys (
        id TEXT NOT NULL PRIMARY KEY,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        scopes TEXT NOT NULL,
        prefix TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER,
        revoked_at INTEGER,
        last_used_at INTEGER,
        version INTEGER NOT NULL CHECK (version > 0)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX api_keys_by_account ON api_keys (account, created_at, id)",
    """
    CREATE TABLE key_secrets (
        kid TEXT NOT NULL PRIMARY KEY,
        key_id TEXT NOT NULL REFERENCES api_keys (id),
        position INTEGER NOT NULL CHECK (position >= 0),
        verifier BLOB NOT NULL,
        pepper_id TEXT NOT NULL,
        not_before INTEGER NOT NULL,
        not_after INTEGER,
        UNIQUE (key_id, position)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE plans (
        name TEXT NOT NULL PRIMARY KEY,
        operations TEXT NOT NULL,
        models TEXT NOT NULL,
        rate_requests INTEGER CHECK (rate_requests > 0),
        rate_period INTEGER CHECK (rate_period > 0),
        max_output_tokens INTEGER CHECK (max_output_tokens > 0),
        markup_bps INTEGER NOT NULL CHECK (markup_bps >= 0),
        CHECK ((rate_requests IS NULL) = (rate_period IS NULL))
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE subscriptions (
        account TEXT NOT NULL PRIMARY KEY,
        plan TEXT NOT NULL REFERENCES plans (name),
        starts_at INTEGER NOT NULL,
        ends_at INTEGER,
        CHECK (ends_at > starts_at)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE audit_entries (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        at INTEGER NOT NULL,
        account TEXT NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL,
        details TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX audit_by_account ON audit_entries (account, sequence)",
    # What was written once stays: nothing here is ever changed or taken away.
    """
    CREATE TRIGGER entries_stay BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END
    """,
    """
    CREATE TRIGGER entries_last BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END
    """,
    """
    CREATE TRIGGER usage_stays BEFORE UPDATE ON usage_events
    BEGIN SELECT RAISE(ABORT, 'usage events are append-only'); END
    """,
    """
    CREATE TRIGGER usage_lasts BEFORE DELETE ON usage_events
    BEGIN SELECT RAISE(ABORT, 'usage events are append-only'); END
    """,
    """
    CREATE TRIGGER audit_stays BEFORE UPDATE ON audit_entries
    BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END
    """,
    """
    CREATE TRIGGER audit_lasts BEFORE DELETE ON audit_entries
    BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END
    """,
)
TIME = 978_350_400_000_000
"""Noon of the first day of 2001, in microseconds."""
_HOLDS = (
    ("hold_open", 30, "open", None, None),
    ("hold_captured", 20, "captured", 10, TIME + 5),
    ("hold_expired", 7, "expired", None, TIME + 900),
)
_ROWS: dict[str, list[tuple[object, ...]]] = {
    "balances": [("acme", "USD", 490, 30, 2), ("other", "EUR", 0, 0, 0)],
    "holds": [
        (name, "acme", "USD", amount, f"key {name}", "a call", TIME, TIME + 600, state, taken, end)
        for name, amount, state, taken, end in _HOLDS
    ],
    "entries": [
        (
            "entry_1",
            "acme",
            "USD",
            1,
            "grant",
            500,
            500,
            TIME,
            "Ünïcode ✓",
            "k",
            *[None] * 2,
            0,
            None,
        ),
        (
            *("entry_2", "acme", "USD", 2, "capture", -10, 490, TIME, "a call", ""),
            *("hold_captured", 20, 0, json.dumps(["event_1", "event_2"])),
        ),
    ],
    "usage_events": [
        (
            *(f"event_{n}", "acme", "key_1", "call_1", "chat:complete", "offline/echo", meter),
            *(n, "reported", 5, "USD", charge, "USD", "offline/echo@2001", TIME + n, hold),
        )
        for n, meter, charge, hold in (
            (1, "input_tokens", 4, "hold_captured"),
            (2, "output_tokens", 6, "hold_captured"),
            (3, "requests", 0, None),
        )
    ],
    "api_keys": [
        ("key_1", "acme", "a key", '["chat:complete"]', "tk_test", TIME, None, None, None, 1)
    ],
    "key_secrets": [("00" * 8, "key_1", 0, b"verifier" * 4, "pepper", TIME, None)],
    "plans": [("small", '["chat:complete"]', '["*"]', 7, 90_000_000, None, 250)],
    "subscriptions": [("acme", "small", TIME, None)],
    "audit_entries": [(1, "audit_1", TIME, "acme", "cli", "key.issued", "key_1", "{}")],
}
NAMES = tuple(_ROWS)
"""The tables, each of which has rows."""


def write_version_1(path: Path, *, events: int = 0) -> None:
    """Write the file; *events* more usage events make it larger."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute("PRAGMA application_id = 1416588396")
    connection.execute("PRAGMA user_version = 1")
    for table, rows in _ROWS.items():
        for row in rows:
            _insert(connection, table, row)
    first = _ROWS["usage_events"][-1]
    for n in range(events):
        _insert(connection, "usage_events", (f"more_{n}", *first[1:]))
    connection.commit()
    connection.close()


def insert_event(connection: sqlite3.Connection, event_id: str) -> None:
    """Write a free usage event as version 1 does: by the names of the columns that it knows."""
    columns = """id, account, key_id, call_id, operation, model, meter, quantity, provenance, cost,
        cost_currency, charge, charge_currency, price_id, occurred_at, hold_id"""
    row = (event_id, *_ROWS["usage_events"][-1][1:])
    connection.execute(
        f"INSERT INTO usage_events ({columns}) VALUES ({', '.join('?' * len(row))})", row
    )


def insert_audit_entry(connection: sqlite3.Connection, entry_id: str, account: str) -> None:
    """Write an audit entry as version 1 does: by the names of the columns that it knows."""
    connection.execute(
        "INSERT INTO audit_entries (id, at, account, actor, action, subject, details) "
        "VALUES (?, ?, ?, 'cli', 'key.issued', 'key_1', '{}')",
        (entry_id, TIME, account),
    )


def _insert(connection: sqlite3.Connection, table: str, row: tuple[object, ...]) -> None:
    connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
