"""Keys do what their histories say, on every store."""

import atexit
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.application.key_histories import key_histories
from tests.servers.postgres import migrated_database, start_postgres
from tests.servers.postgrest import postgrest_server
from tests.servers.postgrest_database import project_database
from tollkeeper.adapters.memory.store import MemoryStore


@cache
def _kept_open() -> ExitStack:
    start_postgres()  # what is registered later is undone first: databases before their server
    stack = ExitStack()
    atexit.register(stack.close)
    return stack


@cache
def _sqlite() -> str:
    return f"sqlite:///{Path(_kept_open().enter_context(TemporaryDirectory())) / 'keys.db'}"


@cache
def _postgres() -> str:
    return _kept_open().enter_context(migrated_database())


@cache
def _supabase() -> str:
    database = _kept_open().enter_context(project_database())
    return _kept_open().enter_context(postgrest_server(database)).store_url()


def in_memory() -> tuple[str, dict[str, Any]]:
    return "memory://", {"store": MemoryStore()}


def on_sqlite() -> tuple[str, dict[str, Any]]:
    return _sqlite(), {}


def on_postgres() -> tuple[str, dict[str, Any]]:
    return _postgres(), {}


def on_supabase() -> tuple[str, dict[str, Any]]:
    return _supabase(), {}


TestInMemory = key_histories(in_memory, examples=15).TestCase
TestOnSqlite = key_histories(on_sqlite, examples=8).TestCase
TestOnPostgres = key_histories(on_postgres, examples=4, steps=25).TestCase
TestOnSupabase = key_histories(on_supabase, examples=3, steps=20).TestCase
