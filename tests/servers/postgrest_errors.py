"""Refusals as PostgREST words them: a code, a message, details, a hint, and an HTTP status."""

from typing import Any, Self

import asyncpg
from attrs import frozen

# The beginning of an SQLSTATE and the status it becomes, the longer ones first; else 400.
_STATUSES = (
    *(("21000", 500), ("23503", 409), ("23505", 409), ("25006", 405), ("42883", 404)),
    *(("42P01", 404), ("42P17", 500), ("53400", 500), ("57P01", 503), ("P0001", 400)),
    *(("08", 503), ("09", 500), ("0L", 403), ("0P", 403), ("25", 500), ("28", 403), ("2D", 500)),
    *(("38", 500), ("39", 500), ("3B", 500), ("40", 500), ("53", 503), ("54", 500), ("55", 500)),
    *(("57", 500), ("58", 500), ("F0", 500), ("HV", 500), ("P0", 500), ("XX", 500)),
)


@frozen
class Refusal(Exception):
    """What PostgREST answers instead of rows."""

    status: int
    code: str
    message: str
    details: str | None = None
    hint: str | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the answer."""
        return {
            "code": self.code,
            "message": self.message,
            "details": self.details,
            "hint": self.hint,
        }

    @classmethod
    def of(cls, error: asyncpg.PostgresError, *, role: str) -> Self:
        """Make of an error of the database what *role* is told."""
        state = error.sqlstate or "XX000"
        status = next((found for start, found in _STATUSES if state.startswith(start)), 400)
        if state == "42501":
            status = 401 if role == "anon" else 403
        return cls(status, state, error.message or "", error.detail, error.hint)


def malformed(what: str) -> Refusal:
    """Refuse a query string that cannot be read."""
    return Refusal(400, "PGRST100", f'"failed to parse {what}" (line 1, column 1)', "unexpected")


def no_table(schema: str, name: str) -> Refusal:
    """Refuse a table that is not there."""
    text = f"Could not find the table '{schema}.{name}' in the schema cache"
    return Refusal(404, "PGRST205", text)


def no_function(schema: str, name: str, given: list[str]) -> Refusal:
    """Refuse a function that is not there, or takes other arguments."""
    with_these = f"({', '.join(given)})" if given else " without parameters"
    text = f"Could not find the function {schema}.{name}{with_these} in the schema cache"
    return Refusal(404, "PGRST202", text, "Searched for the function, but found no match")


def no_schema(schemas: tuple[str, ...], asked: str) -> Refusal:
    """Refuse a schema that is not exposed."""
    text = f"The schema must be one of the following: {', '.join(schemas)}"
    return Refusal(406, "PGRST106", f"Invalid schema: {asked}", None, text)


def not_single(count: int) -> Refusal:
    """Refuse to make one object of no row, or of several."""
    text = "Cannot coerce the result to a single JSON object"
    return Refusal(406, "PGRST116", text, f"The result contains {count} rows")


def out_of_range(offset: int, total: int) -> Refusal:
    """Refuse a page that begins after the last row."""
    details = f"An offset of {offset} was requested, but there are only {total} rows."
    return Refusal(416, "PGRST103", "Requested range not satisfiable", details)


def no_connection() -> Refusal:
    """Say that the database cannot be reached."""
    text = "Could not connect with the database due to a connection error"
    return Refusal(503, "PGRST001", "Database client error. Retrying the connection.", text)


def pool_timeout() -> Refusal:
    """Say that no connection became free."""
    return Refusal(504, "PGRST003", "Timed out acquiring connection from connection pool.")
