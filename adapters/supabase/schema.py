"""Whether a project has the functions that this code calls, and lets us call them."""

from attrs import frozen

from tollkeeper.adapters.supabase.answers import Row
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.failures import MIGRATE, corrupt, no_schema
from tollkeeper.domain.errors import ConfigurationError, CredentialsRefused

NEEDED = "0010"
"""The number of the last migration: an older schema lacks something, a newer one is unknown."""
_SERVICE = "service_role"


@frozen
class State:
    """What a project says of itself."""

    version: str
    server: str


async def state_of(connections: SupabaseConnections) -> State:
    """Ask the project who we are there, and what is there.

    Raises:
        ConfigurationError: the key is refused or is not the service's, or the schema is missing,
            too old, or not exposed; the text names the remedy.
        PortError: the project cannot be reached.
    """
    try:
        rows = await connections.call("describe_schema", {}, effect=Effect.READS)
    except CredentialsRefused as error:
        raise refused_key(port=connections.port) from error.__cause__
    match rows:
        case [{"version": str() | None, "caller": str(), "server": str()}]:
            return _checked(rows[0], port=connections.port)
    raise corrupt(connections.port)


def _checked(row: Row, *, port: str) -> State:
    if row["caller"] != _SERVICE:
        raise ConfigurationError(
            f"{port}: the project takes the key for one of another role than service_role; give "
            "the secret key (sb_secret_…) or the service_role key",
            code="key_not_service",
        )
    version = row["version"] or ""
    if not version:
        raise no_schema()
    if version > NEEDED:
        raise ConfigurationError(
            f"{port}: the project was migrated by a newer Tollkeeper (schema {version}; this one "
            f"knows {NEEDED}); upgrade Tollkeeper",
            code="schema_newer",
        )
    if version < NEEDED:
        raise ConfigurationError(
            f"{port}: the project is at schema {version}, and this version needs {NEEDED}; "
            f"{MIGRATE}",
            code="schema_missing",
        )
    return State(version, row["server"].partition(" ")[0])


def refused_key(*, port: str) -> ConfigurationError:
    """Make the error of a project that does not know the key, with the remedy."""
    return ConfigurationError(
        f"{port}: Supabase refuses the key; give the secret key (sb_secret_…) or the service_role "
        "key of this very project",
        code="key_refused",
    )
