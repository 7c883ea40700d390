"""What the answers of Supabase, and the failures of the way to it, mean to a caller.

The texts of PostgREST and PostgreSQL quote values, so none of them is shown, and none stays in the
cause: a caller who logs the whole chain logs no money and no key.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import TypeVar

import httpx

from tollkeeper.domain.errors import (
    ConfigurationError,
    Conflict,
    CorruptResponse,
    CredentialsRefused,
    DomainError,
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PoolExhausted,
    PortError,
    Rejected,
    Throttled,
    Timeout,
    TollkeeperError,
    Unavailable,
)

F = TypeVar("F", bound=PortError)
ADAPTER = "supabase"
MIGRATE = "run: tollkeeper migrate --grant-to service_role, by the project's postgresql:// URL"


class SupabaseFault(Exception):
    """What went wrong without the words of the server: the cause of an error of ours.

    *code* is an SQLSTATE, a code of PostgREST's (``PGRST…``), or nothing; *status* the HTTP status
    of the answer, 0 if there was none.
    """

    def __init__(self, kind: str, *, code: str = "", status: int = 0) -> None:
        self.code = code
        self.status = status
        shown = [f"HTTP {status}"] if status else []
        shown += [code] if code else []
        super().__init__(f"{kind} ({', '.join(shown)})" if shown else kind)


def refused(
    status: int,
    body: object,
    *,
    port: str,
    as_user: bool,
    wait: timedelta | None = None,
) -> TollkeeperError:
    """Return the typed error for an answer that is no success.

    Args:
        status: its HTTP status.
        body: its JSON, or None if it has none.
        port: the port whose adapter asked.
        as_user: whether a user's token was sent, rather than the key of the service.
        wait: how long the server asks to wait.
    """
    said = body if isinstance(body, Mapping) else {}
    code = said.get("code")
    code = code if isinstance(code, str) and len(code) <= 20 and code.isalnum() else ""
    typed = (
        _own(code, said)
        or _by_code(code, status, port=port, as_user=as_user)
        or _by_status(status, port=port, as_user=as_user)
    )
    if isinstance(typed, PortError):
        typed.provider_code, typed.status, typed.retry_after = code, status, wait
    return caused(typed, SupabaseFault("refused", code=code, status=status))


def broken(error: Exception, *, port: str) -> TollkeeperError | None:
    """Return the typed error for what httpx raised; None if it is nothing of this kind."""
    if isinstance(error, UnicodeError | OverflowError | ValueError):
        return caused(unstorable(), SupabaseFault(type(error).__name__))
    typed: TollkeeperError
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        typed = _fault(Unavailable, _OUT_OF_REACH, port)
    elif isinstance(error, httpx.PoolTimeout):
        typed = exhausted(port)
    elif isinstance(error, httpx.TimeoutException):
        typed = too_late(port, sent=True)
    elif isinstance(error, httpx.DecodingError):
        typed = corrupt(port)
    elif isinstance(error, httpx.TransportError):
        typed = _fault(Unavailable, _OUT_OF_REACH, port, undone=False)
    else:
        return None
    return caused(typed, SupabaseFault(type(error).__name__))


def is_trouble(error: TollkeeperError) -> bool:
    """Whether *error* says that the project is out of order, rather than busy or refusing."""
    if isinstance(error, Timeout | CorruptResponse):
        return True
    return isinstance(error, Unavailable) and error.provider_code[:2] not in ("40", "55", "25")


def caused(typed: TollkeeperError, fault: SupabaseFault) -> TollkeeperError:
    """Return *typed* with *fault* as what caused it."""
    typed.__cause__ = fault
    typed.__suppress_context__ = True
    return typed


def closed(port: str) -> Unavailable:
    """Make the answer to a use before opening or after closing."""
    text = "the connections to Supabase are not open; use them inside `async with`"
    return Unavailable(text, port=port, adapter=ADAPTER, code="not_open")


def other_loop(port: str) -> Unavailable:
    """Make the answer to a use from another event loop than the one it was opened in."""
    text = (
        "the connections to Supabase were opened in another event loop; open some in each loop "
        "that uses them"
    )
    return Unavailable(text, port=port, adapter=ADAPTER, code="not_open")


def exhausted(port: str) -> PoolExhausted:
    """Make the answer to a caller for whom no connection became free in time."""
    text = "all connections to Supabase are in use; raise pool_size, or send fewer calls at once"
    return _fault(PoolExhausted, text, port)


def too_late(port: str, *, sent: bool) -> Timeout:
    """Make the answer to a caller whose time is up; if it was *sent*, it may have been done."""
    return _fault(Timeout, "Supabase did not answer in time; try again", port, undone=not sent)


def circuit_open(port: str, *, wait: float) -> Unavailable:
    """Make the answer while Supabase is left alone."""
    error = _fault(
        Unavailable, "Supabase failed several times in a row and is left alone for a moment", port
    )
    error.code, error.retry_after = "circuit_open", timedelta(seconds=wait)
    return error


def corrupt(port: str) -> CorruptResponse:
    """Make the answer to an answer that is not what it should be."""
    text = "the answer of Supabase is not what it should be, or was cut off"
    return _fault(CorruptResponse, text, port, undone=False)


def cut_short(port: str) -> Rejected:
    """Make the answer to rows that the server left out because they are too many."""
    error = _fault(
        Rejected,
        "the project returns fewer rows than were asked for: raise its setting Max rows, or write "
        "that number as max_rows in the URL",
        port,
        undone=False,
    )
    error.code = "rows_left_out"
    return error


def unstorable() -> InvalidRequest:
    """Make the answer to an argument that cannot be stored."""
    return InvalidRequest("a text or number cannot be stored: it is malformed or too large")


def no_schema() -> ConfigurationError:
    """Make the answer of a project in which our functions are not."""
    return ConfigurationError(
        f"store: the project has no Tollkeeper schema, or an old one; {MIGRATE}",
        code="schema_missing",
    )


_OUT_OF_REACH = "Supabase cannot be reached, or broke the connection off"
_BUSY = "the database is too busy: other changes were in the way; try again"
_FULL = "the database has no room left: connections, memory or disk; try again later"
_FAULTS: Mapping[str, tuple[type[PortError], str, bool]] = {
    # The beginning of a code, what it means, and whether the change was certainly undone.
    "PGRST000": (Unavailable, _OUT_OF_REACH, True),
    "PGRST001": (Unavailable, _OUT_OF_REACH, False),
    "PGRST002": (Unavailable, "the project's API is starting", True),
    "PGRST003": (PoolExhausted, "the project's API has no free connection; try again", True),
    "PGRST30": (CredentialsRefused, "Supabase refuses the key, or it has expired", True),
    "08": (Unavailable, _OUT_OF_REACH, False),
    "57P03": (Unavailable, "the database is starting or stopping", True),
    "57P": (Unavailable, _OUT_OF_REACH, False),
    "57014": (Timeout, "the database gave the statement up: it took too long", True),
    "40003": (Unavailable, _OUT_OF_REACH, False),
    "40": (Unavailable, _BUSY, True),
    "55P03": (Unavailable, _BUSY, True),
    "25": (Unavailable, "the database is read-only at the moment", True),
    "53300": (PoolExhausted, _FULL, True),
    "53": (Unavailable, _FULL, True),
    "28": (CredentialsRefused, "the database refuses the project's API", True),
    "58": (Unavailable, "the machine of the database fails: an input or output error", False),
    "XX001": (CorruptResponse, "the database is damaged; restore it from a backup", True),
    "XX002": (CorruptResponse, "the database is damaged; restore it from a backup", True),
}
_OURS: Mapping[str, type[DomainError]] = {
    "TK001": NotFound,
    "TK002": Conflict,
    "TK003": IdempotencyConflict,
    "TK004": InvalidRequest,
}


def _own(code: str, said: Mapping[str, object]) -> TollkeeperError | None:
    """Read what our own functions raised: the text is ours, and the hint is the code."""
    message, hint = said.get("message"), said.get("hint")
    if code == "23505" and isinstance(message, str) and '"usage_events_pkey"' in message:
        return IdempotencyConflict("an event of the usage is logged already")
    if code not in _OURS:
        return None
    return _OURS[code](
        message if isinstance(message, str) else "refused",
        code=hint if isinstance(hint, str) else None,
    )


def _by_code(code: str, status: int, *, port: str, as_user: bool) -> TollkeeperError | None:
    match code:
        case "23505" | "23P01":
            return Conflict("an id is taken already; make a new one")
        case "PGRST116":
            return NotFound("there is no such row, or more than one")
        case "PGRST106":
            return ConfigurationError(
                f"{port}: the project does not expose the schema; add it under API settings, "
                "Exposed schemas",
                code="schema_not_exposed",
            )
        case "42501":
            return _may_not(port, as_user=as_user)
        case "PGRST202" | "PGRST205" | "42P01" | "42883" | "3F000" | "42703" | "PGRST204":
            return no_schema()
        case "PGRST300":
            return ConfigurationError(
                f"{port}: the project's API has no JWT secret; set one", code="key_refused"
            )
    if code == "21000" or code[:2] in ("22", "23"):
        return unstorable()
    for start, (kind, text, undone) in _FAULTS.items():
        if code.startswith(start):
            return _fault(kind, text, port, undone=undone)
    if code and 400 <= status < 500 and status not in (401, 403, 408, 425, 429):
        return _fault(
            Rejected,
            "Supabase refused the request; this is a fault in Tollkeeper, please report it",
            port,
        )
    return None


def _by_status(status: int, *, port: str, as_user: bool) -> TollkeeperError:
    """Read the answers of what stands before PostgREST, which have no code."""
    match status:
        case 401:
            return _fault(CredentialsRefused, "Supabase refuses the key", port)
        case 403:
            return _may_not(port, as_user=as_user)
        case 429:
            return _fault(Throttled, "Supabase limits how much is asked of it", port)
        case 408 | 504 | 524:
            return too_late(port, sent=True)
        case 503:
            return _fault(Unavailable, "Supabase is out of order at the moment", port)
    if status >= 500:
        return _fault(Unavailable, "Supabase failed inside", port, undone=False)
    return _fault(Rejected, "what answers there is no project of Supabase's; check the URL", port)


def _may_not(port: str, *, as_user: bool) -> TollkeeperError:
    if as_user:
        return PermissionDenied("the user may not do this")
    return ConfigurationError(
        f"{port}: the key's role may not use the schema; the functions are for service_role: "
        f"{MIGRATE}",
        code="grants_missing",
    )


def _fault(kind: type[F], text: str, port: str, *, undone: bool = True) -> F:
    return kind(text, port=port, adapter=ADAPTER, ambiguous=not undone)
