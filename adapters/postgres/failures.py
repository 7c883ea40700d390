"""What asyncpg's errors mean to a caller.

PostgreSQL's own texts quote values and name hosts, so none of them is shown, and none stays in
the cause: a caller who logs the whole chain logs no money and no password.
"""

import ssl
from collections.abc import Mapping
from datetime import timedelta

import asyncpg

from tollkeeper.domain.errors import (
    ConfigurationError,
    Conflict,
    CorruptResponse,
    CredentialsRefused,
    DomainError,
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    PoolExhausted,
    PortError,
    Rejected,
    Timeout,
    TollkeeperError,
    Unavailable,
)

PORT = "store"
ADAPTER = "postgres"
MIGRATE = "run: tollkeeper migrate"


class PostgresFault(Exception):
    """What went wrong without the words of the server: the cause of an error of ours."""

    def __init__(self, error: BaseException) -> None:
        self.sqlstate: str = getattr(error, "sqlstate", None) or ""
        kind = type(error).__name__
        super().__init__(f"{kind} (SQLSTATE {self.sqlstate})" if self.sqlstate else kind)


def closed() -> Unavailable:
    """Make the answer to a use before opening or after closing."""
    return Unavailable(
        "the store is not open; use it inside `async with store:`",
        port=PORT,
        adapter=ADAPTER,
        code="not_open",
    )


def other_loop() -> Unavailable:
    """Make the answer to a use from another event loop than the one it was opened in."""
    return Unavailable(
        "the store was opened in another event loop; open one in each loop that uses it",
        port=PORT,
        adapter=ADAPTER,
        code="not_open",
    )


def exhausted() -> PoolExhausted:
    """Make the answer to a caller for whom no connection became free in time."""
    return PoolExhausted(
        "all connections to the database are in use; raise pool_size, or send fewer calls at once",
        port=PORT,
        adapter=ADAPTER,
    )


def too_late(*, sent: bool) -> Timeout:
    """Make the answer to a caller whose time is up; if it was *sent*, it may have been done."""
    return Timeout(
        "the database did not answer in time; try again",
        port=PORT,
        adapter=ADAPTER,
        ambiguous=sent,
    )


def left_alone(wait: timedelta) -> Unavailable:
    """Make the answer to a caller while the circuit is open: nothing was sent."""
    return Unavailable(
        "the database failed several times in a row and is left alone for a moment; try again",
        port=PORT,
        adapter=ADAPTER,
        retry_after=wait,
        code="circuit_open",
    )


def no_schema() -> ConfigurationError:
    """Make the answer of a database in which our tables or functions are not."""
    return ConfigurationError(
        f"store: the database has no Tollkeeper schema, or an old one; {MIGRATE}",
        code="schema_missing",
    )


def corrupt() -> CorruptResponse:
    """Make the answer to a stored record that is not what we write."""
    return CorruptResponse(
        "a record in the database is not as Tollkeeper wrote it; look at who changed its tables",
        port=PORT,
        adapter=ADAPTER,
        code="record_malformed",
    )


def is_unstorable(error: BaseException) -> bool:
    """Whether an argument could not be written for the wire: nothing was sent."""
    client_side = isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
    return client_side or isinstance(error, (UnicodeError, OverflowError))


def is_over(error: BaseException) -> bool:
    """Whether the connection is of no use after *error*: its state is unknown, or it will end."""
    if isinstance(error, asyncpg.PostgresError):
        # A server that only reads has been replaced; a new connection may find its successor.
        return (error.sqlstate or "").startswith(("08", "25006", "57P", "58", "XX"))
    return not isinstance(error, TollkeeperError) and not is_unstorable(error)


def is_passing(error: BaseException) -> bool:
    """Whether the same request may well be answered a moment later."""
    if isinstance(error, PoolExhausted):
        return True
    return isinstance(error, Unavailable) and error.provider_code[:2] not in ("53", "58")


def is_trouble(error: BaseException) -> bool:
    """Whether *error* says that the database is out of order, rather than busy or refusing."""
    if isinstance(error, Timeout):
        return True
    return isinstance(error, Unavailable) and error.provider_code[:2] not in ("40", "55", "25")


def translate(error: BaseException, *, sent: bool) -> BaseException:
    """Return the typed error for *error*; errors of ours, and what we do not know, stay.

    Args:
        error: what was raised.
        sent: whether the statement may have reached the server, which may have done it.
    """
    if isinstance(error, TollkeeperError):
        return error
    typed = _typed(error, sent=sent)
    if typed is None:
        return error
    typed.__cause__ = PostgresFault(error)
    typed.__suppress_context__ = True
    return typed


def _typed(error: BaseException, *, sent: bool) -> TollkeeperError | None:
    if isinstance(error, asyncpg.PostgresError):
        return _from_server(error, sent=sent)
    if isinstance(error, TimeoutError):
        return too_late(sent=sent)
    if is_unstorable(error):
        return InvalidRequest("a text or number cannot be stored: it is malformed or too large")
    if isinstance(error, asyncpg.InternalClientError) and not _is_being_ended(error):
        return _fault(CorruptResponse, "the database broke its own protocol", sent=sent)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _fault(Unavailable, _NOT_TRUSTED, sent=False)
    if isinstance(error, ConnectionError) and str(error).endswith("rejected SSL upgrade"):
        return _fault(Unavailable, _SPEAKS_NO_TLS, sent=False)
    if isinstance(error, (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
        # A connection that ends under a statement is an error of the client's, not the server's.
        return _fault(Unavailable, _OUT_OF_REACH, sent=sent)
    return None


def _is_being_ended(error: asyncpg.InternalClientError) -> bool:
    """Whether the server has said farewell on the connection, and the client is still reading it.

    asyncpg takes no statement then, and has no better name for it.
    """
    return str(error).startswith("cannot switch to state")


_OUT_OF_REACH = "the database cannot be reached, or broke the connection off"
_NOT_TRUSTED = (
    "the database's certificate is not to be trusted, or names another host; check the host of the "
    "URL, and that sslrootcert names the certificate of who signed it"
)
_SPEAKS_NO_TLS = (
    "the database speaks no TLS; set it up there, or, on a network of your own, use sslmode=disable"
)
_BUSY = "the database is too busy: other changes were in the way; try again"
_FULL = "the database has no room left: connections, memory or disk; try again later"
_REFUSED = (
    "the database refuses the user, the password or what the user may do; check the URL, and that "
    "the user is one who may use the schema"
)


def _from_server(error: asyncpg.PostgresError, *, sent: bool) -> TollkeeperError:
    state = error.sqlstate or ""
    if state in _OURS:
        # Raised by our own functions: the text is ours, and the hint is the code.
        return _OURS[state](error.message or "refused", code=error.hint)
    if error.constraint_name == "usage_events_pkey":
        return IdempotencyConflict("an event of the usage is logged already")
    if state in ("42P01", "42883", "3F000", "42703", "42704"):
        return no_schema()
    if state == "3D000":
        return ConfigurationError("store: the database does not exist; create it, or name another")
    if state in ("23505", "23P01"):
        return Conflict("an id is taken already; make a new one")
    if state == "21000" or state[:2] == "22":
        return InvalidRequest("a text or number cannot be stored: it is malformed or too large")
    # What names a whole class says whether the change may have been written: a statement that
    # ended in an error was undone, but one whose connection broke may be done.
    for start, (kind, text, undone) in _FAULTS.items():
        if state.startswith(start):
            return _fault(kind, text, sent=sent and not undone, state=state)
    return _fault(
        Rejected,
        "the database refused the change; this is a fault in Tollkeeper, please report it",
        sent=False,
        state=state,
    )


_OURS: Mapping[str, type[DomainError]] = {
    "TK001": NotFound,
    "TK002": Conflict,
    "TK003": IdempotencyConflict,
    "TK004": InvalidRequest,
}
_FAULTS: Mapping[str, tuple[type[PortError], str, bool]] = {
    "08": (Unavailable, _OUT_OF_REACH, False),
    "57P03": (Unavailable, "the database is starting or stopping", True),
    "57P": (Unavailable, _OUT_OF_REACH, False),
    "57014": (Timeout, "the database gave the statement up: it took too long", True),
    "40003": (Unavailable, _OUT_OF_REACH, False),
    "40": (Unavailable, _BUSY, True),
    "55P03": (Unavailable, _BUSY, True),
    "25006": (Unavailable, "the database is read-only at the moment: a standby, say", True),
    "25P": (Unavailable, _BUSY, True),
    "53300": (PoolExhausted, _FULL, True),
    "53": (Unavailable, _FULL, True),
    "28": (CredentialsRefused, _REFUSED, True),
    "42501": (CredentialsRefused, _REFUSED, True),
    "58": (Unavailable, "the machine of the database fails: an input or output error", False),
    "XX001": (CorruptResponse, "the database is damaged; restore it from a backup", True),
    "XX002": (CorruptResponse, "the database is damaged; restore it from a backup", True),
}


def _fault(kind: type[PortError], text: str, *, sent: bool, state: str = "") -> PortError:
    return kind(text, port=PORT, adapter=ADAPTER, ambiguous=sent, provider_code=state)
