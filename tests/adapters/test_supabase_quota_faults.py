"""A take of a quota whose answer got lost is counted once, and not asked again by itself."""

from datetime import UTC, datetime

import pytest

from tests.adapters.supabase_projects import project
from tests.servers.postgrest import PostgrestServer
from tests.servers.tcp_proxy import Fault, tcp_proxy
from tollkeeper.adapters.supabase.store import SupabaseStore
from tollkeeper.contracts.samples import new_id
from tollkeeper.domain.errors import PortError, Timeout, Unavailable
from tollkeeper.domain.key_limits import Quota

pytestmark = pytest.mark.anyio
__all__ = ["project"]
NOW = datetime(2001, 1, 1, tzinfo=UTC)
QUOTA = Quota(10)


@pytest.mark.parametrize(
    ("fault", "kind"), [(Fault.SWALLOWED, Timeout), (Fault.RESET, Unavailable)]
)
async def test_a_take_whose_answer_is_lost_counts_once_and_is_ambiguous(
    project: PostgrestServer, fault: Fault, kind: type[PortError]
) -> None:
    key_id = new_id("key")
    async with tcp_proxy(project.port) as proxy:
        url = project.store_url(proxy.port, options="timeout=0.5&pool_size=1")
        async with SupabaseStore.from_url(url) as store:
            counter = store.quota_counter
            proxy.marker, proxy.fault, proxy.times = b"take_quota", fault, 1
            before = project.calls("take_quota")
            with pytest.raises(kind) as lost:
                await counter.take(key_id, QUOTA, at=NOW, calls=3)
            assert lost.value.ambiguous
            assert proxy.faults == 1
            assert project.calls("take_quota") == before + 1
            assert (await counter.used(key_id, QUOTA, at=NOW)).used == 3
            # Whoever takes again counts again: at most once too much for each lost answer.
            assert await counter.take(key_id, QUOTA, at=NOW, calls=3)
            assert (await counter.used(key_id, QUOTA, at=NOW)).used == 6
            assert not await counter.take(key_id, QUOTA, at=NOW, calls=5)
