"""What SQLite's errors mean to a caller."""

import sqlite3
from collections.abc import Mapping

from tollkeeper.domain.errors import (
    Conflict,
    CorruptResponse,
    InvalidRequest,
    PortError,
    Rejected,
    Timeout,
    TollkeeperError,
    Unavailable,
)

_PORT = "store"
_ADAPTER = "sqlite"
UNSTORABLE = (UnicodeEncodeError, OverflowError)
"""What Python raises for a text or a number that no column takes."""


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's result code without its extension; 0 where Python raised by itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection holds a lock that this one needs."""
    return primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_taken(error: sqlite3.Error) -> bool:
    """Whether a row with the same unique name is there already."""
    return getattr(error, "sqlite_errorcode", 0) in (
        sqlite3.SQLITE_CONSTRAINT_UNIQUE,
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    )


def closed() -> Unavailable:
    """Make the answer to a use before opening or after closing."""
    return Unavailable(
        "the store is not open; use it inside `async with store:`",
        port=_PORT,
        adapter=_ADAPTER,
        code="not_open",
    )


def forked() -> Unavailable:
    """Make the answer to a use in a process that inherited the store."""
    return Unavailable(
        "the store was opened before this process was forked; open it after the fork",
        port=_PORT,
        adapter=_ADAPTER,
    )


def translate(error: Exception, *, ambiguous: bool = False) -> Exception:
    """Return the typed error for *error*, which becomes its cause; errors of ours stay.

    Args:
        error: what was raised.
        ambiguous: whether the change may have been written all the same.
    """
    if isinstance(error, TollkeeperError):
        return error
    if isinstance(error, sqlite3.Error):
        typed = _typed(error, ambiguous=ambiguous)
    elif isinstance(error, UNSTORABLE):
        typed = InvalidRequest("a text or number cannot be stored: it is malformed or too large")
    else:
        return error
    typed.__cause__ = error
    return typed


def _typed(error: sqlite3.Error, *, ambiguous: bool) -> TollkeeperError:
    code = primary_code(error)
    if is_taken(error):
        return Conflict("an id is taken already; make a new one")
    if code == sqlite3.SQLITE_TOOBIG:
        return InvalidRequest("the text is too large to be stored")
    kind, text = _FAULTS.get(code, _UNEXPECTED)
    return kind(text, port=_PORT, adapter=_ADAPTER, ambiguous=ambiguous)


_LOCKED = (Timeout, "another process kept the store locked for too long; try again")
_DAMAGED = (CorruptResponse, "the store's file is damaged; restore it from a backup")
_FULL = (Unavailable, "the disk that holds the store is full; free some space")
_OUT_OF_REACH = (
    Unavailable,
    "the store's file cannot be read or written; check the disk and the permissions",
)
_UNEXPECTED = (
    Rejected,
    "the store refused the change; this is a fault in Tollkeeper, please report it",
)
_FAULTS: Mapping[int, tuple[type[PortError], str]] = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: _OUT_OF_REACH,
    sqlite3.SQLITE_CANTOPEN: _OUT_OF_REACH,
    sqlite3.SQLITE_READONLY: _OUT_OF_REACH,
    sqlite3.SQLITE_PERM: _OUT_OF_REACH,
    sqlite3.SQLITE_AUTH: _OUT_OF_REACH,
    sqlite3.SQLITE_NOMEM: _OUT_OF_REACH,
    sqlite3.SQLITE_PROTOCOL: _OUT_OF_REACH,
    sqlite3.SQLITE_NOLFS: _OUT_OF_REACH,
}
