"""What SQLite's errors mean to those who use a host's tables."""

import sqlite3
from collections.abc import Mapping

from tollkeeper.adapters.sqlite.failures import primary_code
from tollkeeper.domain.errors import (
    Conflict,
    DomainError,
    InvalidRequest,
    NotFound,
    PortError,
    Timeout,
    TollkeeperError,
)

_REFUSED = (InvalidRequest, "value_refused", "the database cannot keep a value in its column")
_TAKEN = (Conflict, "row_exists", "a row with the same unique values is there")
_CHECKED = (InvalidRequest, "check_failed", "the table's own checks refuse the row")
_NO_TABLE = (NotFound, "table_not_found", "there is no such table")
_NO_COLUMN = (NotFound, "column_not_found", "the table lacks a column of its declaration")
_NOT_UNIQUE = (InvalidRequest, "invalid_rows", "what on names is not unique in the database")
_BY_CODE: Mapping[int, tuple[type[DomainError], str, str]] = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: _TAKEN,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: _TAKEN,
    sqlite3.SQLITE_CONSTRAINT_ROWID: _TAKEN,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: (
        InvalidRequest,
        "value_missing",
        "a column that needs a value has none",
    ),
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: (
        InvalidRequest,
        "reference_broken",
        "a row refers to one that is not there, or is referred to",
    ),
    sqlite3.SQLITE_CONSTRAINT_CHECK: _CHECKED,
    sqlite3.SQLITE_CONSTRAINT_TRIGGER: _CHECKED,
    3091: _REFUSED,  # SQLITE_CONSTRAINT_DATATYPE: of a STRICT table; Python 3.11 has no name for it
    sqlite3.SQLITE_MISMATCH: _REFUSED,
    sqlite3.SQLITE_TOOBIG: _REFUSED,
}
# Of these, SQLite has no code but its general one.
_BY_TEXT: Mapping[str, tuple[type[DomainError], str, str]] = {
    "no such table": _NO_TABLE,
    "unknown database": _NO_TABLE,
    "no such column": _NO_COLUMN,
    "has no column": _NO_COLUMN,
    "ON CONFLICT clause": _NOT_UNIQUE,
}
_WORDS = {
    "store: ": "tables: ",
    "async with store:": "async with tables:",
    "the store": "the database",
    "this is a fault in Tollkeeper, please report it": "look at its tables and triggers",
}


def of_tables(error: TollkeeperError) -> TollkeeperError:
    """Return *error*, which tells of the store, as what it means to those who use tables."""
    cause = error.__cause__
    typed = _typed(cause) if isinstance(cause, sqlite3.Error) else None
    if typed is None:
        typed = _named_anew(error)
    if typed is not error:
        typed.__cause__ = cause
    return typed


def _named_anew(error: TollkeeperError) -> TollkeeperError:
    text = error.public_message
    for old, new in _WORDS.items():
        text = text.replace(old, new)
    if isinstance(error, PortError):
        return type(error)(
            text, port="tables", adapter="sqlite", ambiguous=error.ambiguous, code=error.code
        )
    return error if text == error.public_message else type(error)(text, code=error.code)


def _typed(cause: sqlite3.Error) -> TollkeeperError | None:
    if primary_code(cause) == sqlite3.SQLITE_INTERRUPT:
        return Timeout(
            "the database took too long and was stopped; ask for less at once, or make an index",
            port="tables",
            adapter="sqlite",
        )
    found = _BY_CODE.get(getattr(cause, "sqlite_errorcode", 0))
    if found is None and primary_code(cause) in (0, sqlite3.SQLITE_ERROR):
        found = next((meant for text, meant in _BY_TEXT.items() if text in str(cause)), None)
    if found is None:
        return None
    kind, code, text = found
    return kind(text, code=code)
