"""What a blocking facade offers beside its use cases, on a real Redis that two of them share."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.application.world import settings_in
from tests.servers.postgres import run_sql
from tests.servers.postgrest import postgrest_server
from tests.servers.postgrest_database import project_database
from tests.servers.redis_server import RedisServer, redis_server
from tollkeeper.domain.broadcasts import BroadcastMessage
from tollkeeper.domain.errors import (
    ConfigurationError,
    Conflict,
    InvalidRequest,
    PortError,
    Unsupported,
)
from tollkeeper.domain.filters import Everything, col
from tollkeeper.domain.locks import LeaseLost, LockTaken
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Table
from tollkeeper.infra.sync_facade import SyncTollkeeper, open_tollkeeper_sync

MINUTE = timedelta(minutes=1)
NOTES_OF_USERS = """
CREATE TABLE notes (id bigint PRIMARY KEY, owner text);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notes FOR ALL TO authenticated USING (owner = auth.uid());
"""


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[SyncTollkeeper, SyncTollkeeper]]:
    """Open two facades on one Redis."""
    with redis_server() as redis:
        settings = settings_in(
            tmp_path, cache=redis.url, lock=redis.url, event_log=redis.url, broadcast=redis.url
        )
        with open_tollkeeper_sync(settings) as one, open_tollkeeper_sync(settings) as other:
            yield one, other


def test_values_are_shared_and_counted_once(hosts: tuple[SyncTollkeeper, SyncTollkeeper]) -> None:
    one, other = hosts
    one.cache.set("greeting", b"hello", ttl=MINUTE)
    assert other.cache.get("greeting") == b"hello"
    assert other.cache.scoped("acme").get("greeting") is None
    other.cache.set_json("plan", {"seats": 3}, ttl=MINUTE)
    assert one.cache.get_json("plan") == {"seats": 3}
    assert one.cache.get_many(["greeting", "none"]) == {"greeting": b"hello"}
    assert not other.cache.add("greeting", b"bye", ttl=MINUTE)

    def count(tk: SyncTollkeeper) -> None:
        for _ in range(50):
            tk.cache.increment("calls", ttl=MINUTE)

    threads = [threading.Thread(target=count, args=(tk,)) for tk in hosts for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.cache.increment("calls", 0, ttl=MINUTE) == 200
    assert one.cache.delete("calls")
    assert not one.cache.expire("calls", ttl=MINUTE)


def test_a_slow_loader_runs_once_and_blocks_nobody_else(
    hosts: tuple[SyncTollkeeper, SyncTollkeeper],
) -> None:
    loads = []
    begun = threading.Event()

    def load() -> bytes:
        loads.append(threading.current_thread())
        begun.set()
        time.sleep(0.3)
        return b"slow"

    found = []

    def ask(tk: SyncTollkeeper) -> None:
        found.append(tk.cache.get_or_load("page", load, ttl=MINUTE))

    threads = [threading.Thread(target=ask, args=(tk,)) for tk in hosts for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    assert hosts[0].cache.get("other") is None  # the loop is free while the loader sleeps
    assert found == []
    for thread in threads:
        thread.join()
    assert found == [b"slow"] * 8
    assert len(loads) == 1
    assert hosts[1].cache.get_or_load_json("numbers", lambda: [1, 2], ttl=MINUTE) == [1, 2]


def test_a_lock_keeps_the_other_host_out(hosts: tuple[SyncTollkeeper, SyncTollkeeper]) -> None:
    one, other = hosts
    with one.locks.hold("report") as held:
        with pytest.raises(LockTaken), other.locks.hold("report"):
            pytest.fail("two hold it")
        with other.locks.scoped("acme").hold("report"):
            pass
        first = held.fence
    with other.locks.hold("report") as again:
        assert again.fence > first
    with pytest.raises(InvalidRequest):
        one.locks.hold("")


def hold_until_it_is_lost(tk: SyncTollkeeper, redis: RedisServer) -> None:
    with tk.locks.hold("report", ttl=timedelta(seconds=1)) as held:
        redis.kill()
        deadline = time.monotonic() + 10
        while not held.lost and time.monotonic() < deadline:
            time.sleep(0.05)
        assert held.lost


def test_a_lock_that_was_lost_is_told_at_the_end(tmp_path: Path) -> None:
    with redis_server() as redis:
        settings = settings_in(tmp_path, lock=f"{redis.url}?timeout=0.3")
        with open_tollkeeper_sync(settings) as tk:
            with pytest.raises(LeaseLost):
                hold_until_it_is_lost(tk, redis)
            with pytest.raises(PortError), tk.locks.hold("report"):
                pytest.fail("there is no Redis")


def test_events_are_followed_from_a_thread(hosts: tuple[SyncTollkeeper, SyncTollkeeper]) -> None:
    one, other = hosts
    got: list[bytes] = []

    def follow() -> None:
        with other.events.scoped("acme").subscribe("answer") as events:
            got.extend(event.data for event in events if event is not None)

    follower = threading.Thread(target=follow)
    follower.start()
    events = one.events.scoped("acme")
    for word in (b"one", b"two", b"three"):
        [event] = events.append("answer", word)
    events.end("answer")
    follower.join(20)
    assert got == [b"one", b"two", b"three"]
    with other.events.scoped("acme").subscribe("answer", after=event.id) as rest:
        assert list(rest) == []
        assert rest.after == event.id
    assert one.events.read("answer").events == ()


def test_a_message_reaches_the_other_host(hosts: tuple[SyncTollkeeper, SyncTollkeeper]) -> None:
    one, other = hosts
    with other.broadcast.subscribe("profiles") as changes:
        assert changes.connected
        one.broadcast.scoped("acme").publish("profiles", b"not for all")
        one.broadcast.publish("profiles", b"user-7")
        assert next(iter(changes)) == BroadcastMessage(b"user-7")
        assert changes.generation == 0


def test_the_hosts_own_tables(tmp_path: Path) -> None:
    words = Table("words", {"id": Kind.INTEGER, "word": Kind.TEXT}, key=("id",))
    with sqlite3.connect(tmp_path / "host.db") as database:
        database.execute("CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT)")
    database.close()
    url = f"sqlite:///{tmp_path}/host.db"
    with open_tollkeeper_sync(settings_in(tmp_path, tables=url)) as tk:
        tk.tables.insert(words, [{"id": 1, "word": "toll"}, {"id": 2, "word": "keeper"}])
        tk.tables.update(words, {"word": "gate"}, where=col("id") == 1)
        assert [row["word"] for row in tk.tables.select(words).rows] == ["gate", "keeper"]
        with pytest.raises(Unsupported):
            tk.tables.as_user("a token")
    with open_tollkeeper_sync(settings_in(tmp_path)) as tk, pytest.raises(ConfigurationError):
        tk.tables.select(words)


def test_the_hosts_own_tables_as_a_user_sees_them(tmp_path: Path) -> None:
    notes = Table("notes", {"id": Kind.INTEGER, "owner": Kind.TEXT}, key="id")
    with project_database(migrated=False) as database, postgrest_server(database) as project:
        asyncio.run(run_sql(database, NOTES_OF_USERS))
        with open_tollkeeper_sync(settings_in(tmp_path, tables=project.store_url())) as tk:
            tk.tables.insert(notes, [{"id": 1, "owner": "ada"}, {"id": 2, "owner": "bob"}])
            ada = tk.tables.as_user(project.keys.user("ada"))
            assert [row["id"] for row in ada.select(notes).rows] == [1]
            assert ada.delete(notes, where=Everything()) == 1
            assert [row["id"] for row in tk.tables.select(notes).rows] == [2]


def test_a_closed_facade_says_so(tmp_path: Path) -> None:
    with open_tollkeeper_sync(settings_in(tmp_path)) as tk:
        assert tk.check_health().ready
    with pytest.raises(Conflict):
        tk.cache.get("greeting")
    with pytest.raises(Conflict), tk.locks.hold("report"):
        pytest.fail("it is closed")
