"""How the store's file is found, made and opened."""

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from tollkeeper.adapters.sqlite.failures import is_busy, primary_code, translate
from tollkeeper.adapters.sqlite.schema import SCHEMA_VERSION, bring_up_to_date, version_of
from tollkeeper.domain.errors import ConfigurationError

T = TypeVar("T")

# Half of SQLite's own waits are 25 ms or longer: too long beside a writer whose pauses are
# shorter than one, so we ask again more often than its busy handler would.
_PAUSE = 0.002
# The first with STRICT tables.
_OLDEST = (3, 37)


def patiently(action: Callable[[], T], *, deadline: float) -> T:
    """Do *action*, again and again while another connection is in the way, until *deadline*.

    It is tried once at least. Blocks the thread.

    Raises:
        sqlite3.Error: the last try's.
    """
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE)


def connect(path: Path, *, busy_timeout: float = 0.0) -> sqlite3.Connection:
    """Open one connection to the file at *path*, which must be there.

    Transactions are ours to begin and end. *busy_timeout* is in seconds.
    """
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw",
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        # Set on each connection, for SQLite remembers none of them in the file: a commit
        # returns when the disk has it; references hold; savepoints keep to memory.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def open_file(path: Path, *, lock_timeout: float) -> sqlite3.Connection:
    """Make the file if there is none, and return a connection to a store that is ready.

    Raises:
        ConfigurationError: it cannot be made, or is no store of ours; it is left as it was.
        PortError: it is locked or damaged.
    """
    if sqlite3.sqlite_version_info < _OLDEST:
        raise ConfigurationError(
            f"store: this Python has SQLite {sqlite3.sqlite_version}, and 3.37 or newer is needed; "
            "take another Python"
        )
    deadline = time.monotonic() + lock_timeout
    _make_file(path)
    connection = None
    try:
        # Even setting a pragma reads the file, which another process may be making at this moment.
        connection = patiently(lambda: connect(path), deadline=deadline)
        _make_ready(connection, path.name, deadline)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        if primary_code(error) == sqlite3.SQLITE_NOTADB:
            raise ConfigurationError(
                f"store: {path.name} is no SQLite database; name another file"
            ) from error
        if primary_code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise ConfigurationError(
                f"store: {path.name} cannot be opened for writing; check the permissions of the "
                "file and of its folder"
            ) from error
        raise translate(error) from error
    except BaseException:
        if connection is not None:
            connection.close()
        raise
    return connection


def absolute(path: Path) -> Path:
    """Return *path* as it stands whatever the working directory becomes.

    Raises:
        ConfigurationError: it is relative, and the working directory is gone.
    """
    try:
        return path.absolute()
    except OSError as error:
        raise ConfigurationError(
            "store: the working directory does not exist any more; change to another, or write "
            "sqlite:////folder/name.db"
        ) from error


def _make_file(path: Path) -> None:
    # SQLite would make it readable to everyone. The file is only ever opened here if it is new:
    # closing a second descriptor of one in use would drop the locks of this whole process on it.
    try:
        if path.is_dir():
            raise ConfigurationError(f"store: {path.name} is a folder; name a file")
        if not path.parent.is_dir():
            raise ConfigurationError(
                f"store: the folder that should hold {path.name} does not exist; make it first"
            )
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ConfigurationError(
                "store: the name of the file is too long; name it shorter"
            ) from error
        raise ConfigurationError(
            f"store: {path.name} cannot be made; check the permissions of its folder"
        ) from error


def _make_ready(connection: sqlite3.Connection, name: str, deadline: float) -> None:
    def look() -> int:
        with _transaction(connection, "BEGIN"):
            return version_of(connection, name=name)

    version = patiently(look, deadline=deadline)
    [(mode,)] = patiently(
        lambda: connection.execute("PRAGMA journal_mode = WAL").fetchall(), deadline=deadline
    )
    if mode != "wal":
        raise ConfigurationError(
            f"store: {name} lies on a file system without shared memory, such as a network "
            "drive; name a file on a local disk"
        )
    # What is erased, such as a data key, leaves nothing behind in the file's free space.
    connection.execute("PRAGMA secure_delete = ON")
    # A batch stays in memory until it is committed, and after a burst the log is cut back.
    connection.execute("PRAGMA cache_size = -32768")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    if version == SCHEMA_VERSION:
        return

    def make() -> None:
        with _transaction(connection, "BEGIN IMMEDIATE"):
            # Another process may have been faster.
            bring_up_to_date(connection, version=version_of(connection, name=name))

    patiently(make, deadline=deadline)


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
