"""Databases as a Supabase project has them: its roles, ``auth.uid()``, what is given by default."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from tests.servers.postgres import empty_database, run_sql
from tollkeeper.infra.schema_versions import migrate

# Roles belong to a server, which other tests of the process share.
_ROLES = """
DO $$
DECLARE
    made text;
BEGIN
    FOREACH made IN ARRAY ARRAY[
        'anon NOLOGIN NOINHERIT', 'authenticated NOLOGIN NOINHERIT',
        'service_role NOLOGIN NOINHERIT BYPASSRLS',
        'authenticator LOGIN NOINHERIT PASSWORD ''of tests'''] LOOP
        BEGIN
            EXECUTE 'CREATE ROLE ' || made;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
END
$$;
GRANT anon, authenticated, service_role TO authenticator;
"""
_PROJECT = """
CREATE SCHEMA auth;
CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;
CREATE FUNCTION auth.uid() RETURNS text LANGUAGE sql STABLE AS $$ SELECT auth.jwt() ->> 'sub' $$;
GRANT USAGE ON SCHEMA auth, public TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT ALL ON SEQUENCES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT EXECUTE ON FUNCTIONS TO anon, authenticated, service_role;
"""


def as_authenticator(url: str) -> str:
    """Return the URL by which PostgREST signs in: a role that may do nothing but become others."""
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"authenticator:of%20tests@{where}"))


async def make_project(url: str, *, migrated: bool = True) -> None:
    """Make of the database at *url* one that a project has."""
    await run_sql(url, _ROLES, _PROJECT)
    if migrated:
        await migrate(url, grant_to=["service_role"])


@contextmanager
def project_database(server: str | None = None, *, migrated: bool = True) -> Iterator[str]:
    """Make a project's database, and drop it in the end.

    Args:
        server: where; the server that all tests of the process share if None.
        migrated: whether Tollkeeper's schema is in it, and service_role may use it.
    """
    with empty_database(server) as url:
        asyncio.run(make_project(url, migrated=migrated))
        yield url
