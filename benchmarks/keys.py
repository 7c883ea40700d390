"""Who holds this API key? Ours, a hash looked up in a table, and a password hash."""

import asyncio
import hashlib
import json
import secrets
import sqlite3
import time
from contextlib import AsyncExitStack
from importlib import import_module
from typing import Any

from benchmarks.contender import Arena, Benchmark, Case, Entry
from tollkeeper import DomainError, Settings, open_tollkeeper

_KEYS = 1000
_BATCH = 50
_SCOPES = ["audio:transcribe", "chat:complete"]


class Ours:
    """``tk.authenticate_key``, among a thousand keys."""

    def __init__(self, store: str) -> None:
        self._store = store

    async def open(self, arena: Arena) -> None:
        self._stack = AsyncExitStack()
        store = self._store.format(folder=arena.folder)
        settings = Settings(environment="test", store=store, transcribers={})
        self._tk = await self._stack.enter_async_context(open_tollkeeper(settings))
        issued = await asyncio.gather(
            *(
                self._tk.issue_key(account=f"account-{number}", scopes=set(_SCOPES))
                for number in range(_KEYS)
            )
        )
        self._token = issued[-1].token.reveal()

    async def close(self) -> None:
        await self._stack.aclose()

    async def call(self, mode: str) -> int:
        for _ in range(_BATCH):
            principal = await self._tk.authenticate_key(self._token)
        assert principal.account == f"account-{_KEYS - 1}"
        return _BATCH

    async def check(self) -> None:
        """Assert that a key with one character changed is refused."""
        last = "0" if self._token[-1] != "0" else "1"
        try:
            await self._tk.authenticate_key(self._token[:-1] + last)
        except DomainError:
            return
        raise AssertionError("a wrong key was let in")


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
        for number in range(_KEYS):
            self._token = f"sk_live_{secrets.token_urlsafe(32)}"
            row = (self._verifier(), f"account-{number}", json.dumps(_SCOPES), None, 0)
            self._db.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?)", row)
        self._db.execute("COMMIT")

    async def close(self) -> None:
        self._db.close()

    def _verifier(self) -> str:
        return hashlib.sha256(self._token.encode()).hexdigest()

    def _authenticate(self) -> tuple[str, set[str]]:
        row = self._db.execute(
            "SELECT account, scopes, expires_at, revoked FROM keys WHERE hash = ?",
            (self._verifier(),),
        ).fetchone()
        if row is None or row[3] or (row[2] is not None and row[2] < time.time()):
            raise PermissionError
        return row[0], set(json.loads(row[1]))

    async def call(self, mode: str) -> int:
        for _ in range(_BATCH):
            account, _scopes = self._authenticate()
        assert account == f"account-{_KEYS - 1}"
        return _BATCH

    async def check(self) -> None:
        pass


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


def _ours(store: str) -> Any:
    return lambda: Ours(store)


KEYS = Benchmark(
    name="keys",
    title="Authenticating an API key, one of 1 000",
    operation="key",
    entries=(
        Entry("memory", "tollkeeper, memory", _ours("memory://"), side="ours"),
        Entry("sqlite", "tollkeeper, SQLite", _ours("sqlite:///{folder}/tk.db"), side="ours"),
        Entry("table", "SHA-256 in a table, sqlite3", HashInTable),
        Entry("argon2", "argon2-cffi {version}", Argon2, package="argon2"),
    ),
    cases=(Case("1 at once", 1),),
    baseline="sqlite",
)
