"""The ledger by REST: our adapter and the supabase client, before the tests' own REST server.

The server is the tests' Python one, in a process of its own, not PostgREST: what a project would
add, and what it would save, is not in the figures.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from benchmarks.contender import Arena
from benchmarks.ledger_work import new_database
from tollkeeper.ports.store import Store

_ROOT = Path(__file__).parents[1]


def supabase(options: str) -> Callable[[Arena], AbstractAsyncContextManager[Store]]:
    """Return what opens a store by a URL with *options*, in a new project."""

    @asynccontextmanager
    async def opened(arena: Arena) -> AsyncIterator[Store]:
        from tests.servers.postgrest import PostgrestServer
        from tests.servers.postgrest_database import make_project
        from tollkeeper.adapters.supabase.store import SupabaseStore

        database = await new_database(arena.upstream)
        await make_project(database)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.servers.postgrest", database),
            cwd=_ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            port = int(await process.stdout.readline())
            url = PostgrestServer(database).store_url(port, options=f"timeout=60&{options}")
            async with SupabaseStore.from_url(url) as store:
                yield store
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await asyncio.wait_for(process.wait(), 30)

    return opened
