"""Bring a PostgreSQL database to the schema of this version: plain numbered SQL, by Alembic.

Alembic keeps the version in a table, knows the order, and refuses what it does not know. A
revision is one SQL file; everything that is missing is applied in one transaction, under a lock of
the server, so that any number of processes may try at once.
"""

import uuid
import zlib
from collections.abc import Callable, Sequence
from importlib.resources import files
from types import ModuleType
from typing import Any

from alembic.migration import MigrationContext
from alembic.runtime.migration import MigrationStep, RevisionStep
from alembic.script.base import Script
from alembic.script.revision import RevisionMap
from attrs import frozen
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tollkeeper.adapters.postgres.addresses import Address, address_of
from tollkeeper.adapters.postgres.connections import PostgresConnections, connect_once
from tollkeeper.adapters.postgres.failures import translate
from tollkeeper.adapters.postgres.schema import (
    MIGRATIONS,
    VERSION_TABLE,
    missing_after,
    version_of,
)

LONGEST_WAIT = 300
"""For how many seconds a process waits while another one migrates."""
Step = Callable[[str], None]


@frozen
class SchemaState:
    """Which migrations a database has: each of ours is in one of the three, in order."""

    present: tuple[str, ...] = ()
    """Those that were there before."""
    applied: tuple[str, ...] = ()
    """Those that were applied now."""
    missing: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The number of the last one that is there now; nothing if there is none."""
        return (("", *self.present, *self.applied)[-1]).partition("_")[0]


async def state_of(url: str) -> SchemaState:
    """Look at what the database of *url* has; changes nothing.

    Raises:
        ConfigurationError: *url* is malformed, or the schema is newer than this code.
        PortError: the database cannot be reached, or refuses.
    """
    async with PostgresConnections(address_of(url)) as connections:
        missing = missing_after(await version_of(connections))
    return SchemaState(present=_without(missing), missing=missing)


async def migrate(
    url: str, *, on_step: Step = lambda name: None, grant_to: Sequence[str] = ()
) -> SchemaState:
    """Apply what the database of *url* lacks, all or nothing; *on_step* hears of each before it.

    Whoever may use the schema may use what is new in it; so may the roles of *grant_to* from now
    on (see ``grant_use`` in ``0001_ledger.sql``).

    Raises:
        ConfigurationError: *url* is malformed, or the schema is newer than this code.
        NotFound: there is no role of that name.
        InvalidRequest: the role is one that everybody has.
        PortError: the database failed, or its user may not do this; nothing was changed.
    """
    address = address_of(url)
    engine = create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        async_creator=lambda: connect_once(address),
        # Behind a pooler another process may have a statement of the same number.
        connect_args={
            "prepared_statement_name_func": lambda: f"tollkeeper_{uuid.uuid4().hex}",
            "prepared_statement_cache_size": 0,
        },
    )
    sent = False
    try:
        async with engine.connect() as connection:
            migrated = await connection.run_sync(_migrate, address, on_step, grant_to)
            sent = True
            await connection.commit()
            return migrated
    except DBAPIError as error:
        raise translate(_innermost(error), sent=sent) from None
    except Exception as error:
        raise translate(error, sent=sent) from None
    finally:
        await engine.dispose()


def lock_of(schema: str) -> int:
    """Return the number of the server's advisory lock that whoever migrates *schema* has."""
    return zlib.crc32(schema.encode())


def sql_of(migration: str) -> str:
    """Return the text of *migration*."""
    return files("tollkeeper.infra").joinpath("migrations", f"{migration}.sql").read_text("utf-8")


def _migrate(
    connection: Connection, address: Address, on_step: Step, grant_to: Sequence[str]
) -> SchemaState:
    schema = address.schema
    # The lock ends with the transaction: it holds behind a pooler too, and no crash leaves it.
    connection.execute(text(f"SET LOCAL lock_timeout = '{LONGEST_WAIT}s'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_of(schema)})
    missing = missing_after(_version(connection, schema))
    if missing:
        _apply(connection, missing, schema, on_step)
        connection.execute(text(f'SELECT "{schema}".renew_grants()'))
    for role in grant_to:
        connection.execute(text(f'SELECT "{schema}".grant_use(:role)'), {"role": role})
    return SchemaState(present=_without(missing), applied=missing)


def _apply(connection: Connection, missing: Sequence[str], schema: str, on_step: Step) -> None:
    # Asked first: to make one takes a right that a user whose schema was made for them lacks.
    if connection.scalar(text("SELECT to_regnamespace(:name)::text"), {"name": schema}) is None:
        connection.execute(text(f'CREATE SCHEMA "{schema}"'))
    connection.execute(text(f'SET LOCAL search_path TO "{schema}", pg_temp'))
    scripts = RevisionMap(lambda: [_script(connection, name, on_step) for name in MIGRATIONS])

    def steps(_: object, __: object) -> list[MigrationStep]:
        numbers = [name.partition("_")[0] for name in missing]
        return [RevisionStep(scripts, _found(scripts, number), True) for number in numbers]

    context = MigrationContext.configure(
        connection,
        opts={
            "fn": steps,
            "version_table": VERSION_TABLE,
            "version_table_schema": schema,
            "transactional_ddl": True,
        },
    )
    with context.begin_transaction():
        context.run_migrations()


def _without(missing: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in MIGRATIONS if name not in missing)


def _version(connection: Connection, schema: str) -> str:
    table = f'"{schema}".{VERSION_TABLE}'
    if connection.scalar(text("SELECT to_regclass(:table)::text"), {"table": table}) is None:
        return ""
    return str(connection.scalar(text(f"SELECT max(version_num) FROM {table}")) or "")


def _script(connection: Connection, name: str, on_step: Step) -> Script:
    """Make a revision of Alembic's of one SQL file."""
    place = MIGRATIONS.index(name)

    def upgrade() -> None:
        on_step(name)
        driver = connection.connection.dbapi_connection
        assert driver is not None
        # A file holds many statements, which only the driver's own simple protocol takes.
        driver.run_async(lambda own: own.execute(sql_of(name)))

    module: Any = ModuleType(name)
    module.down_revision = MIGRATIONS[place - 1].partition("_")[0] if place else None
    module.upgrade = upgrade
    return Script(module, name.partition("_")[0], f"{name}.sql")


def _found(scripts: RevisionMap, number: str) -> Script:
    script = scripts.get_revision(number)
    assert isinstance(script, Script)
    return script


def _innermost(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error
