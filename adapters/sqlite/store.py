"""One file that holds everything which must never be lost."""

import os
import sqlite3
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from tollkeeper.adapters.sqlite.attempt_log import SqliteAttemptLog
from tollkeeper.adapters.sqlite.audit_log import SqliteAuditLog
from tollkeeper.adapters.sqlite.credential_store import SqliteCredentialStore
from tollkeeper.adapters.sqlite.data_key_store import SqliteDataKeyStore
from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.key_store import SqliteKeyStore
from tollkeeper.adapters.sqlite.ledger import SqliteLedger
from tollkeeper.adapters.sqlite.outbox import SqliteOutbox
from tollkeeper.adapters.sqlite.plan_store import SqlitePlanStore
from tollkeeper.adapters.sqlite.quota_counter import SqliteQuotaCounter
from tollkeeper.adapters.sqlite.usage_log import SqliteUsageLog
from tollkeeper.domain.errors import ConfigurationError

_REMEDY = "write sqlite:///name.db (beside the process) or sqlite:////folder/name.db"


class SqliteStore:
    """All parts of a store in one SQLite file, which is made at the first opening.

    A file that an older Tollkeeper wrote is brought up to date when it is opened; the older one
    refuses it from then on.

    What was acknowledged survives a crash of the process and of the machine: a commit returns
    when the disk has it. Any number of event loops may use one opened store, and any number of
    processes one file. A process that forks opens its store after the fork, not before.

    Args:
        path: the file; its folder must be there. A relative one begins at the working directory.
        lock_timeout: how long a change waits while other processes write.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, lock_timeout: timedelta = timedelta(seconds=5)
    ) -> None:
        self._database = Database(Path(path), lock_timeout=lock_timeout.total_seconds())
        self._key_store = SqliteKeyStore(self._database)
        self._ledger = SqliteLedger(self._database)
        self._usage_log = SqliteUsageLog(self._database)
        self._plan_store = SqlitePlanStore(self._database)
        self._audit_log = SqliteAuditLog(self._database)
        self._attempt_log = SqliteAttemptLog(self._database)
        self._outbox = SqliteOutbox(self._database)
        self._quota_counter = SqliteQuotaCounter(self._database)
        self._data_key_store = SqliteDataKeyStore(self._database)
        self._credential_store = SqliteCredentialStore(self._database)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a store of ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.

        Raises:
            ConfigurationError: *url* names no file.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ConfigurationError(f"store: the URL is malformed; {_REMEDY}") from None
        name = unquote(parts.path)[1:]
        if parts.scheme != "sqlite" or parts.netloc or not parts.path.startswith("/"):
            raise ConfigurationError(f"store: a SQLite URL has three or four slashes; {_REMEDY}")
        if parts.query or parts.fragment:
            raise ConfigurationError(f"store: a SQLite URL takes no options; {_REMEDY}")
        if ":memory:" in name:
            raise ConfigurationError("store: for a store in memory, write memory://")
        if not name.strip("/") or name.endswith("/") or "\0" in name:
            raise ConfigurationError(f"store: the URL names no file; {_REMEDY}")
        return cls(name)

    @property
    def key_store(self) -> SqliteKeyStore:
        """Where API keys live."""
        return self._key_store

    @property
    def ledger(self) -> SqliteLedger:
        """Who has how much."""
        return self._ledger

    @property
    def outbox(self) -> SqliteOutbox:
        """What must be delivered."""
        return self._outbox

    @property
    def usage_log(self) -> SqliteUsageLog:
        """What was used."""
        return self._usage_log

    @property
    def plan_store(self) -> SqlitePlanStore:
        """Where plans live."""
        return self._plan_store

    @property
    def audit_log(self) -> SqliteAuditLog:
        """Who changed what."""
        return self._audit_log

    @property
    def attempt_log(self) -> SqliteAttemptLog:
        """What was asked of providers."""
        return self._attempt_log

    @property
    def quota_counter(self) -> SqliteQuotaCounter:
        """How much each key has used of its quota."""
        return self._quota_counter

    @property
    def data_key_store(self) -> SqliteDataKeyStore:
        """Where the data keys of accounts live, wrapped."""
        return self._data_key_store

    @property
    def credential_store(self) -> SqliteCredentialStore:
        """Where accounts' own provider credentials live, encrypted."""
        return self._credential_store

    @property
    def commits(self) -> int:
        """How many transactions this store has committed; concurrent changes share one."""
        return self._database.commits

    async def __aenter__(self) -> Self:
        await self._database.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._database.close()

    async def health(self) -> str:
        """Take the write lock and read the file once.

        Raises:
            PortError: the store is closed, locked, damaged or out of reach.
        """

        def look(connection: sqlite3.Connection) -> int:
            connection.execute("SELECT count(*) FROM (SELECT 1 FROM balances LIMIT 1)").fetchall()
            [(version,)] = connection.execute("PRAGMA user_version").fetchall()
            return int(version)

        version = await self._database.change(look)
        return f"SQLite {sqlite3.sqlite_version}, schema {version}, write-ahead log"
