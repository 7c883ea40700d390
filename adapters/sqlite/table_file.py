"""A host's own file, opened: it is used as it is, and nothing of ours is put into it."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tollkeeper.adapters.sqlite.connections import absolute, connect
from tollkeeper.adapters.sqlite.database import Database, Opened
from tollkeeper.adapters.sqlite.failures import primary_code, translate
from tollkeeper.adapters.sqlite.jobs import Job
from tollkeeper.adapters.sqlite.readers import Readers
from tollkeeper.adapters.sqlite.schema import APPLICATION_ID
from tollkeeper.adapters.sqlite.table_values import teach
from tollkeeper.adapters.sqlite.writer import Writer
from tollkeeper.domain.errors import ConfigurationError

_STEPS = 1_000
"""How many steps SQLite takes between two looks at the clock: some tens of microseconds."""


class _OneAtATime(Writer):
    """Commits each change by itself.

    What a host's tables check only at the commit would otherwise fail those who share it.
    """

    def _waiting(self, first: Job) -> Iterator[Job]:
        yield first


class TableFile(Database):
    """Runs changes and queries against a host's file, which must be there."""

    def __init__(self, path: Path, *, lock_timeout: float) -> None:
        super().__init__(path, lock_timeout=lock_timeout)
        self._path_of_tables, self._patience = path, lock_timeout

    def _start(self) -> Opened:
        path = absolute(self._path_of_tables)

        def connected() -> sqlite3.Connection:
            # Without a write-ahead log, a commit waits for those who read, and they for it.
            return teach(connect(path, busy_timeout=self._patience))

        try:
            connection = connected()
        except sqlite3.Error as error:
            raise _not_opened(error, path.name) from error
        try:
            [(application,)] = connection.execute("PRAGMA application_id").fetchall()
            if application == APPLICATION_ID:
                raise ConfigurationError(
                    f"tables: {path.name} is Tollkeeper's store; keep your tables in another file"
                )
            [(encoding,)] = connection.execute("PRAGMA encoding").fetchall()
            if encoding != "UTF-8":
                # The order of its texts is another one there.
                raise ConfigurationError(
                    f"tables: the texts of {path.name} are in {encoding}; make it anew in UTF-8"
                )
        except sqlite3.Error as error:
            connection.close()
            raise _not_opened(error, path.name) from error
        except BaseException:
            connection.close()
            raise
        writer = _OneAtATime(connection, lock_timeout=self._patience)
        writer.start()
        return Opened(
            process=os.getpid(),
            writer=writer,
            readers=Readers(connected),
            patient_readers=Readers(connected),
        )


@contextmanager
def bounded(connection: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """Give up a statement that works for longer than *seconds* in the block."""
    until = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def _not_opened(error: sqlite3.Error, name: str) -> Exception:
    if primary_code(error) == sqlite3.SQLITE_CANTOPEN:
        return ConfigurationError(
            f"tables: {name} is not there, or cannot be opened for writing; make the file and its "
            "tables first"
        )
    if primary_code(error) == sqlite3.SQLITE_NOTADB:
        return ConfigurationError(f"tables: {name} is no SQLite database; name another file")
    return translate(error)
