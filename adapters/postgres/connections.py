"""Connections to one PostgreSQL database: a bounded pool, and a deadline for each operation."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import asyncpg

from tollkeeper.adapters.postgres.addresses import Address, address_of
from tollkeeper.adapters.postgres.failures import closed
from tollkeeper.adapters.postgres.free_connections import FreeConnections
from tollkeeper.adapters.postgres.pool import OpenPool, Step
from tollkeeper.domain.errors import ConfigurationError, TollkeeperError

T = TypeVar("T")
_IDLE = 300.0
"""After how many seconds an unused connection is closed."""
_LIFE = 3600.0
"""After how many seconds any connection is, once it is free."""
_CLOSING = 5.0


class PostgresConnections:
    """Runs statements on a pool of connections; made closed, opened in a loop, may be reopened.

    The pool is empty at first: a connection is made when one is needed, so that opening does no
    I/O and a database that is down is an error of the first operation, not of the start.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._opened: OpenPool | None = None

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make connections to the database that *url* names; see :func:`address_of`.

        Raises:
            ConfigurationError: *url* is malformed.
        """
        return cls(address_of(url))

    @property
    def address(self) -> Address:
        """Where the database is."""
        return self._address

    @property
    def schema(self) -> str:
        """The schema, as SQL writes its name."""
        return f'"{self._address.schema}"'

    @property
    def size(self) -> int:
        """How many connections there are."""
        return 0 if self._opened is None else self._opened.connections.size

    @property
    def idle(self) -> int:
        """How many connections are there and not in use."""
        return 0 if self._opened is None else self._opened.connections.idle

    async def __aenter__(self) -> Self:
        if self._opened is not None:
            raise ConfigurationError("store: it is open already; open it once, and share it")
        address = self._address
        connect = functools.partial(
            asyncpg.connect,
            **_who_and_where(address),
            # A pooler refuses what it does not know, and a session is not ours alone there.
            statement_cache_size=0 if address.pooler else 1024,
            max_cached_statement_lifetime=0,
            server_settings=None
            if address.pooler
            else {
                "application_name": "tollkeeper",
                "statement_timeout": str(round(address.timeout * 1000)),
            },
        )
        loop = asyncio.get_running_loop()
        free = FreeConnections(connect, loop, idle_for=_IDLE, life=_LIFE)
        self._opened = OpenPool(loop, free, address.pool_size, address.timeout)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        opened, self._opened = self._opened, None
        if opened is None:
            raise closed()
        try:
            async with asyncio.timeout(min(_CLOSING, self._address.timeout)):
                await opened.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            # The server does not even take a farewell, or somebody works for too long.
            pass

    async def fetch(
        self, sql: str, *args: object, idempotent: bool = False
    ) -> "list[asyncpg.Record]":
        """Run one statement and return its rows.

        Args:
            sql: the statement.
            args: its parameters.
            idempotent: whether it may be run twice, because the answer is the same then.

        Raises:
            PortError: no connection became free in time, or the database failed.
            InvalidRequest: an argument cannot be stored.
            ConfigurationError: the schema is missing.
        """

        async def work(connection: "asyncpg.Connection[Any]", step: Step) -> list[Any]:
            step.sent = True
            rows: list[Any] = await connection.fetch(sql, *args)
            return rows

        return await self._pool().run(work, idempotent=idempotent)

    async def in_transaction(self, work: "Callable[[asyncpg.Connection[Any]], Awaitable[T]]") -> T:
        """Run *work* in one transaction; if it raises, nothing of it is kept.

        *work* may be run again after a failure before the end of its transaction.

        Raises:
            Exception: what *work* raised.
            PortError: as with :meth:`fetch`.
        """

        async def transaction(connection: "asyncpg.Connection[Any]", step: Step) -> T:
            await connection.execute("BEGIN")
            try:
                answer = await work(connection)
            except (TollkeeperError, asyncpg.PostgresError):
                # Where this fails too, the connection is closed, which undoes all the same.
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
                raise
            step.sent = True
            await connection.execute("COMMIT")
            return answer

        return await self._pool().run(transaction, idempotent=False)

    def _pool(self) -> OpenPool:
        if self._opened is None:
            raise closed()
        return self._opened


async def connect_once(address: Address) -> "asyncpg.Connection[Any]":
    """Make one connection without limits on what a statement may take: for changes of the schema.

    Raises:
        OSError, asyncpg.PostgresError: it cannot be made.
    """
    return await asyncpg.connect(
        **_who_and_where(address), timeout=address.timeout, statement_cache_size=0
    )


def _who_and_where(address: Address) -> dict[str, Any]:
    # Whatever is left out here, asyncpg would take from the environment.
    return {
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "password": address.password,
        "database": address.database,
        "ssl": address.tls(),
        "target_session_attrs": "any",
    }
