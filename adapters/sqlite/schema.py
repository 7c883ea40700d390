"""How a file becomes a store of this version."""

import sqlite3

from tollkeeper.adapters.sqlite.versions import VERSIONS
from tollkeeper.domain.errors import ConfigurationError

APPLICATION_ID = 0x546F6C6C
"""``Toll``: tells our files from those of other programs."""
SCHEMA_VERSION = len(VERSIONS)


def version_of(connection: sqlite3.Connection, *, name: str) -> int:
    """Return the version of the file, 0 for an empty one; changes nothing.

    It asks several questions, so the caller holds a transaction: others may be at work.

    Raises:
        ConfigurationError: it is another program's database, or a newer Tollkeeper's.
    """
    [(application,)] = connection.execute("PRAGMA application_id").fetchall()
    [(version,)] = connection.execute("PRAGMA user_version").fetchall()
    [(tables,)] = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    if (application, version, tables) == (0, 0, 0):
        return 0
    if application != APPLICATION_ID or version < 1:
        raise ConfigurationError(
            f"store: {name} is a database of another program; name a file of its own"
        )
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"store: {name} was written by a newer Tollkeeper (schema {version}; this one knows "
            f"{SCHEMA_VERSION}); upgrade Tollkeeper, or name another file"
        )
    return int(version)


def bring_up_to_date(connection: sqlite3.Connection, *, version: int) -> None:
    """Make of a file of *version* one of this version, inside the caller's transaction."""
    for statements in VERSIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
