"""One PostgreSQL database that holds everything which must never be lost."""

from types import TracebackType
from typing import Self

from tollkeeper.adapters.postgres.addresses import Address
from tollkeeper.adapters.postgres.attempt_log import PostgresAttemptLog
from tollkeeper.adapters.postgres.audit_log import PostgresAuditLog
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.credential_store import PostgresCredentialStore
from tollkeeper.adapters.postgres.data_key_store import PostgresDataKeyStore
from tollkeeper.adapters.postgres.key_store import PostgresKeyStore
from tollkeeper.adapters.postgres.ledger import PostgresLedger
from tollkeeper.adapters.postgres.outbox import PostgresOutbox
from tollkeeper.adapters.postgres.plan_store import PostgresPlanStore
from tollkeeper.adapters.postgres.quota_counter import PostgresQuotaCounter
from tollkeeper.adapters.postgres.schema import check_schema, health_of
from tollkeeper.adapters.postgres.usage_log import PostgresUsageLog


class PostgresStore:
    """The parts of a store in one schema of a PostgreSQL database, over one pool.

    ``tollkeeper migrate`` makes the schema; the store itself changes none. Opening looks whether
    it is there: ConfigurationError with the remedy if it is missing, old or newer than this code,
    PortError if the database does not answer. Any number of processes, and of stores in one
    process, may share a database. A store is used in the event loop that opened it, and may be
    opened again in another one after it was closed.

    Args:
        connections: the pool; entering the store opens it.
    """

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        self._key_store = PostgresKeyStore(connections)
        self._ledger = PostgresLedger(connections)
        self._usage_log = PostgresUsageLog(connections)
        self._plan_store = PostgresPlanStore(connections)
        self._audit_log = PostgresAuditLog(connections)
        self._attempt_log = PostgresAttemptLog(connections)
        self._outbox = PostgresOutbox(connections)
        self._quota_counter = PostgresQuotaCounter(connections)
        self._data_key_store = PostgresDataKeyStore(connections)
        self._credential_store = PostgresCredentialStore(connections)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a store of ``postgresql://user:password@host:5432/database?option=value&…``.

        Raises:
            ConfigurationError: *url* is malformed.
        """
        return cls(PostgresConnections.from_url(url))

    @property
    def address(self) -> Address:
        """Where the database is."""
        return self._connections.address

    @property
    def key_store(self) -> PostgresKeyStore:
        """Where API keys live."""
        return self._key_store

    @property
    def ledger(self) -> PostgresLedger:
        """Who has how much."""
        return self._ledger

    @property
    def usage_log(self) -> PostgresUsageLog:
        """What was used."""
        return self._usage_log

    @property
    def plan_store(self) -> PostgresPlanStore:
        """Where plans live."""
        return self._plan_store

    @property
    def audit_log(self) -> PostgresAuditLog:
        """Who changed what."""
        return self._audit_log

    @property
    def attempt_log(self) -> PostgresAttemptLog:
        """What was asked of providers."""
        return self._attempt_log

    @property
    def outbox(self) -> PostgresOutbox:
        """What must be delivered."""
        return self._outbox

    @property
    def quota_counter(self) -> PostgresQuotaCounter:
        """How much each key has used of its quota."""
        return self._quota_counter

    @property
    def data_key_store(self) -> PostgresDataKeyStore:
        """Where the data keys of accounts live, wrapped."""
        return self._data_key_store

    @property
    def credential_store(self) -> PostgresCredentialStore:
        """Where accounts' own provider credentials live, encrypted."""
        return self._credential_store

    async def health(self) -> str:
        """Reach out once: the versions of the server and of the schema, and the pool's figures.

        Raises:
            PortError: the database cannot be reached, or refuses.
            ConfigurationError: a migration is missing, or the schema is newer than this code.
        """
        return await health_of(self._connections)

    async def __aenter__(self) -> Self:
        await self._connections.__aenter__()
        try:
            await check_schema(self._connections)
        except BaseException:
            await self._connections.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._connections.__aexit__(exc_type, exc, traceback)
