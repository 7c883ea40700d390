"""The PostgreSQL outbox keeps the outbox's contract, on a real server."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from attrs import evolve

from tests.adapters.postgres_databases import OnPostgres, postgres_url
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.outbox import PostgresOutbox, messages_json
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.contracts.outbox import OutboxContract
from tollkeeper.contracts.outbox_ends import a_message
from tollkeeper.contracts.samples import new_id
from tollkeeper.domain.errors import IdempotencyConflict
from tollkeeper.domain.outbox import DeliveryState

__all__ = ["postgres_url"]
NOW = datetime(2001, 1, 1, tzinfo=UTC)
LEASE = timedelta(minutes=1)
ADD = "SELECT tollkeeper.add_messages($1)"


class TestPostgresOutbox(OnPostgres, OutboxContract):
    @pytest.fixture
    def outbox(self, connections: PostgresConnections) -> PostgresOutbox:
        return PostgresOutbox(connections)


@pytest.mark.anyio
async def test_a_message_is_there_if_the_hosts_own_change_is(postgres_url: str) -> None:
    account, topic = new_id("account"), new_id("topic")
    messages = messages_json([a_message(account, topic, at=NOW)])
    host = await asyncpg.connect(postgres_url)
    try:
        async with PostgresStore.from_url(postgres_url) as store:
            await host.execute(f"BEGIN; CREATE TABLE {account} ()")
            await host.execute(ADD, messages)
            # Nobody sees it before the change is made.
            assert await store.outbox.claim(topic=topic, at=NOW, lease=LEASE) == ()
            await host.execute("ROLLBACK")
            assert await store.outbox.claim(topic=topic, at=NOW, lease=LEASE) == ()
            await host.execute(f"BEGIN; CREATE TABLE {account} ()")
            await host.execute(ADD, messages)
            await host.execute("COMMIT")
            [delivery] = await store.outbox.claim(topic=topic, at=NOW, lease=LEASE)
            assert delivery.message.account == account
    finally:
        await host.close()


@pytest.mark.anyio
async def test_whoever_claims_does_not_wait_for_another(postgres_url: str) -> None:
    topic = new_id("topic")
    messages = [a_message("acme", topic, at=NOW + timedelta(seconds=n)) for n in range(3)]
    other = await asyncpg.connect(postgres_url)
    try:
        async with PostgresStore.from_url(postgres_url) as store:
            await store.outbox.add(messages)
            await other.execute("BEGIN")
            await other.fetch(
                "SELECT tollkeeper.claim_messages($1, $2, $3, 1)",
                topic,
                NOW + LEASE,
                NOW + 2 * LEASE,
            )
            async with asyncio.timeout(2):
                lent = await store.outbox.claim(topic=topic, at=NOW + LEASE, lease=LEASE, limit=9)
            assert [each.message for each in lent] == messages[1:]
            await other.execute("ROLLBACK")
            [first] = await store.outbox.claim(topic=topic, at=NOW + LEASE, lease=LEASE, limit=9)
            assert first.message == messages[0]
    finally:
        await other.close()


@pytest.mark.anyio
async def test_a_key_that_is_used_at_this_moment_is_waited_for(postgres_url: str) -> None:
    first = a_message("acme", new_id("topic"), at=NOW, payload="one")
    other = await asyncpg.connect(postgres_url)
    try:
        async with PostgresStore.from_url(postgres_url) as store:
            await other.execute("BEGIN")
            await other.execute(ADD, messages_json([first]))
            again = asyncio.ensure_future(store.outbox.add([first]))
            conflict = asyncio.ensure_future(
                store.outbox.add([evolve(first, id=new_id("message"), payload="two")])
            )
            await asyncio.sleep(0.1)
            assert not again.done()
            await other.execute("COMMIT")
            [known] = await again
            assert known.state is DeliveryState.PENDING
            with pytest.raises(IdempotencyConflict):
                await conflict
    finally:
        await other.close()


@pytest.mark.anyio
async def test_the_owner_may_delete_what_is_done(postgres_url: str) -> None:
    account, topic = new_id("account"), new_id("topic")
    owner = await asyncpg.connect(postgres_url)
    try:
        async with PostgresStore.from_url(postgres_url) as store:
            await store.outbox.add([a_message(account, topic, at=NOW) for _ in range(3)])
            lent = await store.outbox.claim(topic=topic, at=NOW, lease=LEASE, limit=2)
            await store.outbox.done(lent, at=NOW)
            deleted = await owner.execute(
                "DELETE FROM tollkeeper.messages WHERE state = 'done' AND ended_at < $1 "
                "AND account = $2",
                NOW + LEASE,
                account,
            )
            assert deleted == "DELETE 2"
            left = await store.outbox.messages(state=DeliveryState.PENDING, account=account)
            assert len(left) == 1
    finally:
        await owner.close()


def start_worker(url: str, topic: str, seconds: float) -> "subprocess.Popen[str]":
    """Start a process that delivers; it takes *seconds* for each message."""
    module = "tests.adapters.postgres_outbox_worker"
    return subprocess.Popen(
        (sys.executable, "-m", module, url, topic, str(seconds)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.soak
@pytest.mark.anyio
async def test_what_a_killed_process_had_claimed_is_delivered_by_others(postgres_url: str) -> None:
    account, topic = new_id("account"), new_id("topic")
    messages = [a_message(account, topic, at=NOW) for _ in range(200)]
    victim = start_worker(postgres_url, topic, 600)
    workers = [victim]
    try:
        assert victim.stdout is not None
        assert await asyncio.to_thread(victim.stdout.readline) == "ready\n"
        async with PostgresStore.from_url(postgres_url) as store:
            await store.outbox.add(messages)
            told = [await asyncio.to_thread(victim.stdout.readline)]
            victim.kill()
            workers += [start_worker(postgres_url, topic, 0.001) for _ in range(3)]
            async with asyncio.timeout(60):
                while await store.outbox.messages(state=DeliveryState.PENDING, account=account):
                    await asyncio.sleep(0.05)
            done = await store.outbox.messages(
                state=DeliveryState.DONE, account=account, limit=1000
            )
        for worker in workers[1:]:
            told += (await asyncio.to_thread(worker.communicate, None, 30))[0].splitlines()
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    delivered = [line.strip() for line in told if line != "ready"]
    assert {each.message for each in done} == set(messages)
    # The victim had claimed five, and told of the first of them.
    assert sorted(each.tries for each in done) == [1] * 195 + [2] * 5
    assert sorted(delivered) == sorted([*(message.id for message in messages), delivered[0]])
