"""What PostgreSQL's errors mean to those who use a host's tables."""

from tollkeeper.adapters.postgres.failures import ADAPTER, PostgresFault
from tollkeeper.adapters.sql.table_states import (
    RAISED,
    is_other_kind,
    meaning_of,
    value_refused,
)
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    CredentialsRefused,
    InvalidRequest,
    PortError,
    Rejected,
    TollkeeperError,
)

PORT = "tables"
_WORDS = {
    "store: ": "tables: ",
    "async with store:": "async with tables:",
    "the store": "the database",
    "this is a fault in Tollkeeper, please report it": "look at its tables and triggers",
}


def of_tables(error: TollkeeperError, *, calling: bool = False) -> TollkeeperError:
    """Return *error*, which tells of the store, as what it means to those who use tables.

    Args:
        error: what the connections raised.
        calling: whether a function was called, which may raise what it likes.
    """
    cause = error.__cause__
    state = cause.sqlstate if isinstance(cause, PostgresFault) else ""
    typed = _typed(state, error, calling=calling)
    typed.__cause__ = cause
    typed.__suppress_context__ = True
    return typed


def _typed(state: str, error: TollkeeperError, *, calling: bool) -> TollkeeperError:
    said = meaning_of(state, calling=calling)
    if said is not None:
        return said
    if calling and (isinstance(error, Rejected) or state in RAISED):
        return Rejected(
            "the function raised an error of its own; provider_code says which",
            port=PORT,
            adapter=ADAPTER,
            code="function_raised",
            provider_code=state,
        )
    if isinstance(error, InvalidRequest) and not state:
        return value_refused()
    if is_other_kind(state):
        return CorruptResponse(
            "a column is declared as another kind than the database has; correct the declaration",
            port=PORT,
            adapter=ADAPTER,
            code="kind_mismatch",
            provider_code=state,
        )
    if state == "42501":
        return CredentialsRefused(
            "the database's user may not do this; grant it, or name another user in the URL",
            port=PORT,
            adapter=ADAPTER,
            provider_code=state,
        )
    return _named_anew(error)


def _named_anew(error: TollkeeperError) -> TollkeeperError:
    text = error.public_message
    for old, new in _WORDS.items():
        text = text.replace(old, new)
    if isinstance(error, PortError):
        return type(error)(
            text,
            port=PORT,
            adapter=ADAPTER,
            ambiguous=error.ambiguous,
            retry_after=error.retry_after,
            code=error.code,
            provider_code=error.provider_code,
        )
    if isinstance(error, ConfigurationError):
        return ConfigurationError(text, code=error.code)
    return error
