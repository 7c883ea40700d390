"""The memory store keeps the store's contract, and is nobody else's."""

import asyncio
import threading
from datetime import UTC, datetime

import pytest

from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.contracts.samples import usd
from tollkeeper.contracts.store import StoreContract
from tollkeeper.domain.errors import ConfigurationError

NOW = datetime(2001, 1, 1, tzinfo=UTC)


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore.from_url("memory://")


async def grant(store: MemoryStore, key: str) -> int:
    await store.ledger.grant(
        account="acme", amount=usd(1), idempotency_key=key, entry_id=key, at=NOW
    )
    return (await store.ledger.balance(account="acme", currency="USD")).sequence


def test_two_stores_share_nothing() -> None:
    one, other = MemoryStore.from_url("memory://"), MemoryStore.from_url("memory://")
    assert asyncio.run(grant(one, "first")) == 1
    assert asyncio.run(grant(other, "first")) == 1


def test_one_loop_after_another_may_use_a_store() -> None:
    store = MemoryStore()
    sequences = [asyncio.run(grant(store, "first"))]
    thread = threading.Thread(target=lambda: sequences.append(asyncio.run(grant(store, "second"))))
    thread.start()
    thread.join()
    sequences.append(asyncio.run(grant(store, "third")))
    assert sequences == [1, 2, 3]


@pytest.mark.parametrize("url", ["memory:", "memory://host", "memory:///file", "memory://?a=b"])
def test_url_says_no_more_than_memory(url: str) -> None:
    with pytest.raises(ConfigurationError, match="write memory://"):
        MemoryStore.from_url(url)
