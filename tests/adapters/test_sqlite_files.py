"""Which files the SQLite store takes, and what it says to the others."""

import asyncio
import contextlib
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from tests.adapters.sqlite_calls import books, grant, query
from tollkeeper.adapters.sqlite.schema import APPLICATION_ID, SCHEMA_VERSION
from tollkeeper.adapters.sqlite.store import SqliteStore
from tollkeeper.contracts.samples import usd
from tollkeeper.domain.errors import ConfigurationError, CorruptResponse

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tollkeeper.db"


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


async def refused(path: Path, *, match: str) -> None:
    """Check that the file is refused, and left as it was."""
    before = contents(path.parent)
    with pytest.raises(ConfigurationError, match=match) as caught:
        async with SqliteStore(path):
            pass
    assert str(path.parent) not in caught.value.public_message
    assert contents(path.parent) == before


def put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def damage(path: Path) -> None:
    """Overwrite all of the file but its first page."""
    [(size,)] = query(path, "PRAGMA page_size")
    assert isinstance(size, int)
    content = path.read_bytes()
    path.write_bytes(content[:size] + b"\x5a" * (len(content) - size))


def execute(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


async def test_new_file_is_for_its_owner_alone(path: Path) -> None:
    async with SqliteStore(path) as store:
        await grant(store, usd(1))
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {0o600}


async def test_file_tells_who_wrote_it(path: Path) -> None:
    async with SqliteStore(path):
        pass
    assert query(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert query(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert query(path, "PRAGMA journal_mode") == [("wal",)]


@pytest.fixture
def empty_file(path: Path) -> Path:
    path.touch()
    return path


async def test_empty_file_becomes_a_store(empty_file: Path) -> None:
    async with SqliteStore(empty_file) as store:
        await grant(store, usd(1))


async def test_odd_names_are_names(tmp_path: Path) -> None:
    path = tmp_path / "a b%20c?d#e&mode=memory.db"
    async with SqliteStore(path) as store:
        await grant(store, usd(1))
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("content", [b"hello", b"not a database, and long enough\n" * 200])
async def test_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    put(path, content)
    await refused(path, match=r"tollkeeper\.db is no SQLite database; name another")


async def test_database_of_another_program_is_refused(path: Path) -> None:
    execute(path, "CREATE TABLE songs (title TEXT)", "INSERT INTO songs VALUES ('a song')")
    await refused(path, match="of another program; name a file of its own")


async def test_database_of_a_newer_version_is_refused(path: Path) -> None:
    async with SqliteStore(path) as store:
        await grant(store, usd(1))
    execute(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    await refused(path, match="written by a newer Tollkeeper .* upgrade")
    execute(path, f"PRAGMA user_version = {SCHEMA_VERSION}")
    async with SqliteStore(path) as store:
        assert await books(store) == (usd(1), usd(0))


async def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a folder; name a file"):
        await SqliteStore(tmp_path).__aenter__()


async def test_missing_folder_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"folder that should hold a\.db does not exist"):
        await SqliteStore(tmp_path / "missing" / "a.db").__aenter__()
    assert not (tmp_path / "missing").exists()


async def test_folder_that_takes_no_file_is_named_as_the_fault() -> None:
    # Nobody can make files there, not even the superuser.
    with pytest.raises(ConfigurationError, match=r"a\.db"):
        await SqliteStore("/proc/a.db").__aenter__()


async def test_damaged_file_is_called_damaged(path: Path) -> None:
    async with SqliteStore(path) as store:
        for n in range(200):
            await grant(store, usd(1), str(n))
    damage(path)
    with pytest.raises(CorruptResponse, match="damaged; restore it"):
        async with SqliteStore(path) as store:
            await grant(store, usd(1), "new")
    with pytest.raises(CorruptResponse, match="damaged; restore it"):
        async with SqliteStore(path) as store:
            await store.ledger.entries(account="acme", currency="USD")


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("sqlite:///:memory:", "write memory://"),
        ("sqlite://:memory:", "write"),
        ("sqlite://", "write sqlite:///name.db"),
        ("sqlite:///", "names no file"),
        ("sqlite:////", "names no file"),
        ("sqlite:///folder/", "names no file"),
        ("sqlite:///a%00b.db", "names no file"),
        ("sqlite://a.db", "three or four slashes"),
        ("sqlite:a.db", "three or four slashes"),
        ("sqlite:///a.db?mode=memory", "takes no options"),
        ("sqlite:///a.db#b", "takes no options"),
        ("sqlite://[/a.db", "malformed"),
        ("postgresql:///a.db", "three or four slashes"),
    ],
)
def test_url_that_names_no_file_is_refused(url: str, match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        SqliteStore.from_url(url)


async def test_url_names_an_absolute_file(tmp_path: Path) -> None:
    async with SqliteStore.from_url(f"sqlite:///{tmp_path}/a%20b.db") as store:
        await grant(store, usd(1))
    assert names(tmp_path) == ["a b.db"]


async def test_url_names_a_file_beside_the_process(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        async with SqliteStore.from_url("sqlite:///a.db") as store:
            await grant(store, usd(1))
    assert (tmp_path / "a.db").exists()


async def test_many_make_the_file_at_once(path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        stores = [SqliteStore(path) for _ in range(16)]
        await asyncio.gather(*(stack.enter_async_context(store) for store in stores))
        await asyncio.gather(*(grant(store, usd(1), str(n)) for n, store in enumerate(stores)))
        assert await books(stores[0]) == (usd(16), usd(0))


async def test_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    await refused(tmp_path / ("x" * 5000), match="too long; name it shorter")
    await refused(tmp_path / ("x" * 300), match="too long; name it shorter")
    assert contents(tmp_path) == {}


async def test_working_directory_that_is_gone_is_said(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with contextlib.chdir(tmp_path):
        os.chdir(gone)
        gone.rmdir()
        with pytest.raises(ConfigurationError, match="the working directory does not exist"):
            async with SqliteStore.from_url("sqlite:///tollkeeper.db"):
                pass
