"""Keys that are not known yet, and how soon one that was revoked is refused elsewhere."""

import asyncio
import gc
import secrets
import sqlite3
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from benchmarks.contender import Arena
from benchmarks.ledger_work import new_database
from benchmarks.measure import Round
from tollkeeper import Secret, Settings, open_tollkeeper
from tollkeeper.application.known_keys import Known
from tollkeeper.domain.errors import Unauthenticated

SCOPE = "chat:complete"
KEYS = 200
_CROWD = 500
_COLUMNS = "k.*, s.kid, s.verifier, s.pepper_id, s.not_before, s.not_after"


def _settings(store: str, *, seconds: float, **more: Any) -> Settings:
    return Settings(
        environment="test",
        store=store,
        transcribers={},
        key_cache_ttl=timedelta(seconds=seconds),
        **more,
    )


class Facade:
    """A facade on *store*, with some hundred keys of which one is used; "" is PostgreSQL."""

    seconds = 30.0
    """How long a key is known."""

    def __init__(self, store: str) -> None:
        self._store = store

    async def open(self, arena: Arena) -> None:
        self._stack = AsyncExitStack()
        self.url = self._store.format(folder=arena.folder) or await new_database(arena.upstream)
        pepper = Secret(secrets.token_hex(32))
        settings = _settings(self.url, seconds=self.seconds, key_pepper=pepper)
        self.tk = await self._stack.enter_async_context(open_tollkeeper(settings))
        issued = await asyncio.gather(
            *(
                self.tk.issue_key(account=f"account-{number}", scopes={SCOPE})
                for number in range(KEYS)
            )
        )
        self.account = issued[-1].key.account
        self.kid = issued[-1].key.secrets[0].kid
        self.token = issued[-1].token.reveal()
        self.prefix = self.token[: self.token.index(self.kid) - 1]

    async def close(self) -> None:
        await self._stack.aclose()

    @property
    def known(self) -> Known:
        """What the process knows of the key."""
        found = self.tk.authenticate_key.reads.known.find(self.kid, now=time.monotonic())
        assert found is not None
        return found

    async def call(self, mode: str) -> int:
        raise NotImplementedError

    async def check(self) -> None:
        """Assert that a key with one character changed is refused."""
        changed = self.token[:-1] + ("0" if self.token[-1] != "0" else "1")
        try:
            await self.tk.authenticate_key(changed)
        except Unauthenticated:
            return
        raise AssertionError("a wrong key was let in")


class Cold(Facade):
    """``tk.authenticate_key`` where nothing may be known: each call reads the store."""

    seconds = 0.0

    async def call(self, mode: str) -> int:
        reads = self.tk.authenticate_key.reads
        before = reads.reads
        principal = await self.tk.authenticate_key(self.token)
        principal.require(SCOPE)
        assert reads.reads == before + 1
        return 1


class StoreRead(Cold):
    """The read of our own store alone: what it takes until the record is there, decoded."""

    async def call(self, mode: str) -> int:
        key = await self.tk.authenticate_key.reads.key_store.find(self.kid)
        assert key is not None
        assert key.account == self.account
        return 1


class Misses(Facade):
    """Five hundred callers at once of a key that is not known yet."""

    async def call(self, mode: str) -> int:
        reads = self.tk.authenticate_key.reads
        reads.known.flush()
        # The machine was busy, and the loop stood still.
        while not reads.known.keeps:  # noqa: ASYNC110 - the loop's own beat sets it, no event does
            await asyncio.sleep(0.05)
        before = reads.reads
        await asyncio.gather(*(self.tk.authenticate_key(self.token) for _ in range(_CROWD)))
        assert reads.reads == before + 1, "they did not share one read"
        return _CROWD


class SqliteRead(Cold):
    """The row of the key and of its secret, by the kid, in the event loop."""

    def __init__(self) -> None:
        super().__init__("sqlite:///{folder}/tk.db")

    async def open(self, arena: Arena) -> None:
        await super().open(arena)
        self._db = sqlite3.connect(arena.folder / "tk.db", isolation_level=None)
        self._stack.callback(self._db.close)

    async def call(self, mode: str) -> int:
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM key_secrets AS s JOIN api_keys AS k ON k.id = s.key_id"
            " WHERE s.kid = ?",
            (self.kid,),
        ).fetchall()
        assert len(rows) == 1
        return 1


class AsyncpgRead(Cold):
    """The function that ours calls, through a pool of asyncpg's; what it returns is not decoded."""

    def __init__(self) -> None:
        super().__init__("")

    async def open(self, arena: Arena) -> None:
        import asyncpg

        await super().open(arena)
        self._pool = await asyncpg.create_pool(self.url, min_size=1, max_size=1, ssl=False)
        self._stack.push_async_callback(self._pool.close)

    async def call(self, mode: str) -> int:
        rows = await self._pool.fetch("SELECT * FROM tollkeeper.key_by_kid($1)", self.kid)
        assert len(rows) == 1
        return 1


class Revoked:
    """How long after ``tk.revoke_key`` is called another facade refuses the key, through Redis.

    They share one store in memory, which takes no time, and each knows keys by itself.
    """

    async def open(self, arena: Arena) -> None:
        from tests.servers.redis_server import redis_server
        from tollkeeper.adapters.memory.store import MemoryStore

        self._stack = AsyncExitStack()
        redis = self._stack.enter_context(redis_server())
        pepper, store = Secret(secrets.token_hex(32)), MemoryStore()
        settings = _settings("memory://", seconds=300, key_pepper=pepper, broadcast=redis.url)
        self._one, self._two = [
            await self._stack.enter_async_context(open_tollkeeper(settings, store=store))
            for _ in range(2)
        ]
        known = self._two.authenticate_key.reads.known
        for _ in range(500):
            if known.keeps:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it hears nothing")

    async def close(self) -> None:
        await self._stack.aclose()

    async def call(self, mode: str) -> int:
        await self._revoke()
        return 1

    async def run_round(self, *, callers: int, mode: str, seconds: float) -> Round:
        """Revoke one key after another; only the time until each is refused counts."""
        took: list[float] = []
        gc.collect()
        cpu, end = time.process_time(), time.perf_counter() + seconds
        while not took or time.perf_counter() < end:
            took.append(await self._revoke())
        return Round(len(took), sum(took), time.process_time() - cpu, tuple(took))

    async def _revoke(self) -> float:
        issued = await self._one.issue_key(account="acme", scopes={SCOPE})
        await self._two.authenticate_key(issued.token)
        refused = asyncio.ensure_future(self._until_refused(issued.token))
        await asyncio.sleep(0)
        start = time.perf_counter()
        await self._one.revoke_key(account="acme", key_id=issued.key.id)
        return await refused - start

    async def _until_refused(self, token: Secret) -> float:
        while True:
            try:
                await self._two.authenticate_key(token)
            except Unauthenticated:
                return time.perf_counter()
            await asyncio.sleep(0)

    async def check(self) -> None:
        """Assert that every change could be told."""
        assert self._one.authenticate_key.reads.known.untold == 0
