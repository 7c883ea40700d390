"""What the refusals of Supabase mean to those who use a host's tables."""

from tollkeeper.adapters.sql.table_states import (
    RAISED,
    is_other_kind,
    meaning_of,
    value_refused,
)
from tollkeeper.adapters.supabase.failures import ADAPTER, SupabaseFault
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    CredentialsRefused,
    InvalidRequest,
    PermissionDenied,
    Rejected,
    TollkeeperError,
)

PORT = "tables"
_SAME = {
    # PostgREST looks into its own copy of the schema before it asks the database.
    "PGRST202": "42883",
    "PGRST203": "42725",
    "PGRST204": "42703",
    "PGRST205": "42P01",
}


def of_tables(error: TollkeeperError, *, calling: bool = False) -> TollkeeperError:
    """Return *error*, which the connections raised, as what it means to those who use tables.

    Args:
        error: what the connections raised.
        calling: whether a function was called, which may raise what it likes.
    """
    cause = error.__cause__
    if not isinstance(cause, SupabaseFault):
        return error
    typed = _typed(_SAME.get(cause.code, cause.code), error, calling=calling)
    if typed is not error:
        typed.__cause__ = cause
        typed.__suppress_context__ = True
    return typed


def _typed(state: str, error: TollkeeperError, *, calling: bool) -> TollkeeperError:
    if isinstance(error, PermissionDenied):
        return error
    said = meaning_of(state, calling=calling)
    if said is not None:
        return said
    own = isinstance(error, Rejected) and state and not state.startswith("PGRST")
    if calling and (own or state in RAISED):
        return Rejected(
            "the function raised an error of its own; provider_code says which",
            port=PORT,
            adapter=ADAPTER,
            code="function_raised",
            provider_code=state,
        )
    if is_other_kind(state):
        return CorruptResponse(
            "a column is declared as another kind than the database has; correct the declaration",
            port=PORT,
            adapter=ADAPTER,
            code="kind_mismatch",
            provider_code=state,
        )
    if isinstance(error, InvalidRequest):
        return value_refused()
    if isinstance(error, ConfigurationError) and error.code in ("grants_missing", "schema_missing"):
        return CredentialsRefused(
            "the key's role may not do this; grant it to service_role",
            port=PORT,
            adapter=ADAPTER,
            provider_code=state,
        )
    return error
