"""The Supabase outbox keeps the contract of an outbox, over HTTP and a real database."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.adapters.supabase_projects import InAProject
from tests.adapters.supabase_projects import project as project
from tests.servers.postgrest import PostgrestServer
from tests.servers.tcp_proxy import Fault, tcp_proxy
from tollkeeper.adapters.supabase.outbox import SupabaseOutbox
from tollkeeper.adapters.supabase.store import SupabaseStore
from tollkeeper.contracts.outbox import OutboxContract
from tollkeeper.contracts.outbox_ends import a_message
from tollkeeper.contracts.samples import new_id
from tollkeeper.domain.errors import PortError

NOW = datetime(2001, 1, 1, tzinfo=UTC)
LEASE = timedelta(minutes=1)


class TestSupabaseOutbox(InAProject, OutboxContract):
    @pytest.fixture
    def outbox(self, store: SupabaseStore) -> SupabaseOutbox:
        return store.outbox


@pytest.mark.anyio
async def test_a_claim_whose_answer_is_lost_is_not_made_again_before_its_lease_is_over(
    project: PostgrestServer,
) -> None:
    account, topic = new_id("account"), new_id("topic")
    async with tcp_proxy(project.port) as proxy:
        url = project.store_url(proxy.port, options="timeout=2")
        async with SupabaseStore.from_url(url) as store:
            await store.outbox.add([a_message(account, topic, at=NOW)])
            before = project.calls("claim_messages")
            proxy.marker, proxy.fault, proxy.times = b"claim_messages", Fault.RESET, 1
            with pytest.raises(PortError) as caught:
                await store.outbox.claim(topic=topic, at=NOW, lease=LEASE)
            assert caught.value.ambiguous
            assert project.calls("claim_messages") == before + 1
            assert await store.outbox.claim(topic=topic, at=NOW, lease=LEASE) == ()
            [again] = await store.outbox.claim(topic=topic, at=NOW + LEASE, lease=LEASE)
            assert again.message.account == account


@pytest.mark.anyio
async def test_many_who_claim_at_once_get_each_message_once(project: PostgrestServer) -> None:
    account, topic = new_id("account"), new_id("topic")
    async with SupabaseStore.from_url(project.store_url(options="timeout=30")) as store:
        messages = [a_message(account, topic, at=NOW) for _ in range(60)]
        await store.outbox.add(messages)
        claims = (store.outbox.claim(topic=topic, at=NOW, lease=LEASE, limit=4) for _ in range(20))
        lent = [one.message.id for some in await asyncio.gather(*claims) for one in some]
        assert sorted(lent) == sorted(message.id for message in messages)
