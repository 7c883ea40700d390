"""A server that answers as Supabase's REST interface does, over a real PostgreSQL.

::

    with project_database() as database, postgrest_server(database) as server:
        client = await create_async_client(server.url, server.keys.service)

It is **not PostgREST**, which no package index has: it is what tests need of it, written after
its documentation (version 14), so that the unmodified ``supabase`` client talks to it over TCP.
Each request is one transaction of one statement under the role of its key (``SET LOCAL ROLE``,
``request.jwt.claims``): row-level security, grants, locks and errors are PostgreSQL's own.

It does: GET, HEAD, POST, PATCH and DELETE on tables and views; ``select`` with aliases and casts;
the operators eq neq gt gte lt lte like ilike match imatch in is isdistinct cs cd ov, ``not``,
``and`` and ``or`` trees; order, limit, offset and Range; on_conflict, columns and the preferences
return, resolution and count=exact; calls of functions by named arguments (POST, and GET for those
that change nothing); Accept-Profile and Content-Profile; one object instead of an array; the
limit of rows that the server returns (1,000, without an error); the codes and statuses of
PostgREST and of the database; the keys of the gateway, old and new.

It does not: embed other tables, aggregate, search text, read JSON paths, PUT, count otherwise than
exactly, ``missing=default``, limited changes, ``tx=rollback``, ``response.*`` settings, CSV, the
OpenAPI description, functions with one unnamed argument, asymmetric tokens, nor keep a cache of the
schema (so a real project may answer PGRST202 or PGRST205 until its own is reloaded). It returns
the columns of an UPDATE or INSERT by name, never ``Location``. Of the gateway there is
only the check of keys: neither its rate limits nor its own errors.

``python -m tests.servers.postgrest DATABASE_URL`` prints its port, and ends with its stdin.
"""

import argparse
import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
from aiohttp import web
from attrs import define, field, frozen

from tests.servers.postgrest_database import as_authenticator
from tests.servers.postgrest_errors import Refusal, no_connection, pool_timeout
from tests.servers.postgrest_keys import Keys
from tests.servers.postgrest_requests import answer

_SOON = 10.0


@frozen
class Seen:
    """A request that came."""

    method: str
    path: str
    role: str


@define(eq=False)
class PostgrestServer:
    """The server as tests see it; it runs in a thread of its own.

    Attributes:
        database: the URL of the project's database.
        schemas: which schemas are exposed, the default first.
        max_rows: how many rows an answer has at most.
        statement_timeout: how long a statement may take, in milliseconds.
    """

    database: str
    schemas: tuple[str, ...] = ("public", "tollkeeper")
    max_rows: int = 1000
    pool_size: int = 10
    statement_timeout: int = 8000
    keys: Keys = field(factory=Keys)
    port: int = 0
    running: int = 0
    """How many requests are under way."""
    seen: list[Seen] = field(factory=list)
    """The requests that came, the oldest first."""
    _pool: "asyncpg.Pool[Any] | None" = None

    @property
    def url(self) -> str:
        """What a client is configured with."""
        return f"http://127.0.0.1:{self.port}"

    def store_url(self, port: int | None = None, *, key: str = "", options: str = "") -> str:
        """Return the URL by which Tollkeeper names it, maybe by another *port* or *key*."""
        key = key or self.keys.service
        return f"supabase+http://service_role:{key}@127.0.0.1:{port or self.port}?{options}"

    def calls(self, function: str) -> int:
        """Count the requests for *function*."""
        return sum(one.path == f"/rpc/{function}" for one in self.seen)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request; one whose client has left is carried out all the same."""
        self.running += 1
        try:
            return await self._answer(request)
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        finally:
            self.running -= 1

    async def _answer(self, request: web.Request) -> web.Response:
        claims = self.keys.claims_of(request.headers)
        role = str(claims["role"])
        self.seen.append(Seen(request.method, "/" + request.match_info["path"], role))
        if self._pool is None:
            raise no_connection()
        try:
            return await answer(self, self._pool, request, claims)
        except asyncpg.PostgresError as error:
            raise Refusal.of(error, role=role) from error
        except TimeoutError as error:
            raise pool_timeout() from error
        except (OSError, asyncpg.InterfaceError) as error:
            raise no_connection() from error

    async def serve(self, ready: "threading.Event", stop: asyncio.Event) -> None:
        """Serve until *stop* is set."""
        self._pool = await asyncpg.create_pool(
            as_authenticator(self.database),
            min_size=0,
            max_size=self.pool_size,
            ssl=False,
            statement_cache_size=0,
            server_settings={
                "statement_timeout": str(self.statement_timeout),
                "application_name": "postgrest",
            },
        )
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/rest/v1/{path:.+}", self.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", self.port)
            await site.start()
            self.port = runner.addresses[0][1]
            ready.set()
            await stop.wait()
        finally:
            await runner.cleanup()
            self._pool.terminate()


@contextmanager
def postgrest_server(database: str, **settings: Any) -> Iterator[PostgrestServer]:
    """Serve the project whose database is at the URL *database* until the block ends."""
    server = PostgrestServer(database, **settings)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    ready, failures = threading.Event(), []

    def run() -> None:
        try:
            loop.run_until_complete(server.serve(ready, stop))
        except BaseException as error:
            failures.append(error)
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert ready.wait(_SOON), "the server did not start"
        if failures:
            raise failures[0]
        yield server
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join(_SOON)
        assert not thread.is_alive(), "the server did not end"


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(description="A REST server of a project for tests.")
    parser.add_argument("database")
    with postgrest_server(parser.parse_args().database) as server:
        print(server.port, flush=True)
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
