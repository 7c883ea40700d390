"""Which migrations of the schema this code needs, and which the database has."""

from collections.abc import Sequence

import asyncpg

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.domain.errors import ConfigurationError, PortError

MIGRATIONS = (
    "0001_ledger",
    "0002_keys_plans_audit",
    "0003_usage_attempts",
    "0004_ledger_in_groups",
    "0005_outbox",
    "0006_rpc",
    "0007_access",
    "0008_plans_quotas",
    "0009_encryption",
    "0010_credentials",
)
"""All of them, in order; their SQL stands in ``infra/migrations/``."""
VERSION_TABLE = "schema_version"
"""Where the number of the last one is written."""
_NOT_SUPPORTED = "08P01"
"""How poolers refuse a setting at the start of a session; a server never does that."""
_REMEDY = "run: tollkeeper migrate"


async def version_of(connections: PostgresConnections) -> str:
    """Return the number of the last migration that was applied, or nothing if there was none.

    Raises:
        PortError: the database failed.
    """

    async def read(connection: "asyncpg.Connection[asyncpg.Record]") -> str:
        table = f"{connections.schema}.{VERSION_TABLE}"
        if await connection.fetchval("SELECT to_regclass($1)::text", table) is None:
            return ""
        return str(await connection.fetchval(f"SELECT max(version_num) FROM {table}") or "")

    return await connections.in_transaction(read)


def missing_after(version: str) -> tuple[str, ...]:
    """Return the migrations that a database at *version* lacks, in order.

    Raises:
        ConfigurationError: *version* is none that this code knows: a newer one made it.
    """
    numbers = [name.partition("_")[0] for name in MIGRATIONS]
    if version and version not in numbers:
        raise ConfigurationError(
            f"store: the database was migrated by a newer Tollkeeper (schema {version}; this one "
            f"knows {numbers[-1]}); upgrade Tollkeeper",
            code="schema_newer",
        )
    return tuple(name for name in MIGRATIONS if name.partition("_")[0] > version)


def fault_of(missing: Sequence[str], *, version: str) -> ConfigurationError:
    """Make the error that names what is *missing*, and the remedy."""
    state = f"is at schema {version}" if version else "has no Tollkeeper schema"
    return ConfigurationError(
        f"store: the database {state}; missing: {', '.join(missing)}; {_REMEDY}",
        code="schema_missing",
    )


async def check_schema(connections: PostgresConnections) -> None:
    """Look whether the database answers and has the schema that this code needs; at a start.

    Raises:
        ConfigurationError: a migration is missing, the schema is newer than this code, or there
            is a pooler in between that was not told of.
        PortError: the database cannot be reached, or refuses.
    """
    try:
        version = await version_of(connections)
    except PortError as error:
        if error.provider_code == _NOT_SUPPORTED:
            raise pooler_fault() from error
        raise
    missing = missing_after(version)
    if missing:
        raise fault_of(missing, version=version)


def pooler_fault() -> ConfigurationError:
    """Make the error that says how a pooler is told of."""
    return ConfigurationError(
        "store: what answers is no PostgreSQL server but a pooler, which takes no settings of a "
        "session; add ?pooler=transaction to the URL",
        code="pooler_unannounced",
    )


async def health_of(connections: PostgresConnections) -> str:
    """Reach out once, and say what is there: server, schema, pool.

    Raises:
        PortError: the database cannot be reached, or refuses.
        ConfigurationError: a migration is missing, or the schema is newer than this code.
    """
    version = await version_of(connections)
    missing = missing_after(version)
    if missing:
        raise fault_of(missing, version=version)
    # A user who may see the schema may not be one who may use it.
    asked = f"(SELECT count(*) FROM {connections.schema}.balance_of('', '')) AS rows"
    [row] = await connections.fetch(f"SELECT current_setting('server_version') AS server, {asked}")
    server = row["server"].partition(" ")[0]
    most = connections.address.pool_size
    return (
        f"PostgreSQL {server}, schema {version}, "
        f"connections {connections.size - connections.idle} in use, at most {most}"
    )
