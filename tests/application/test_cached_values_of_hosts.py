"""Hosts keep their own values: set, counted, of tenants apart, and near for a moment."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tollkeeper.adapters.memory.cache import MemoryCache
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.application.cached_values import LONGEST_KEY, CachedValues
from tollkeeper.application.near_values import NearValues
from tollkeeper.domain.errors import Conflict, InvalidRequest, Unavailable
from tollkeeper.domain.loaded_values import LoadedValue

pytestmark = pytest.mark.anyio
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class Counted(MemoryCache):
    """Counts who asks it, and can be away."""

    asked = 0
    away = False

    async def get(self, key: str) -> bytes | None:
        self.asked += 1
        if self.away:
            raise Unavailable("away", port="cache", adapter="away")
        return await super().get(key)


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def cache(clock: MemoryClock) -> Counted:
    return Counted(clock)


@pytest.fixture
async def values(cache: Counted, clock: MemoryClock) -> AsyncIterator[CachedValues]:
    async with CachedValues(cache, clock, chance=lambda: 0.5) as values:
        yield values


async def one() -> bytes:
    return b"one"


async def test_values_are_set_read_counted_and_forgotten(
    values: CachedValues, clock: MemoryClock
) -> None:
    assert await values.get("key") is None
    await values.set("key", b"1", ttl=MINUTE)
    assert await values.add("key", b"2", ttl=MINUTE) is False
    assert await values.get("key") == b"1"
    assert await values.increment("key", 4, ttl=MINUTE) == 5
    assert await values.get_many(["key", "other"]) == {"key": b"5"}
    assert await values.expire("key", ttl=2 * MINUTE) is True
    clock.advance(MINUTE + SECOND)
    assert await values.delete("key") is True
    assert await values.delete("key") is False
    await values.set("text", b"x", ttl=MINUTE)
    with pytest.raises(Conflict):
        await values.increment("text", ttl=MINUTE)


async def test_json_is_kept_as_it_is_and_nothing_else_is_pickled(values: CachedValues) -> None:
    kept = {"name": "é", "numbers": [1, 2.5, None], "deep": {"yes": True}}
    await values.set_json("key", kept, ttl=MINUTE)
    assert await values.get_json("key") == kept
    assert await values.get_json("nothing") is None
    for unwritable in (object(), {1, 2}, float("nan"), b"bytes"):
        with pytest.raises(InvalidRequest):
            await values.set_json("key", unwritable, ttl=MINUTE)
    assert await values.get_json("key") == kept
    await values.set("key", b"\x80\x04.", ttl=MINUTE)
    with pytest.raises(InvalidRequest):
        await values.get_json("key")


async def test_no_key_of_one_tenant_reaches_another_or_what_is_nobodys(
    values: CachedValues, cache: Counted
) -> None:
    acme, other = values.scoped("acme"), values.scoped("acme2")
    await acme.set("key", b"acme", ttl=MINUTE)
    assert await acme.get_or_load("key", one, ttl=MINUTE) == b"one"
    reaching = ["key", "{acme}:key", "{acme}:value:key", "acme:key", "value:key", "}:value:key"]
    for space in (values, other):
        assert await space.get_many(reaching) == {}
        for key in reaching:
            assert await space.delete(key) is False
            await space.set(key, b"theirs", ttl=MINUTE)
            await space.forget(key)
    assert await acme.get("key") == b"acme"
    assert await acme.get_many(["key"]) == {"key": b"acme"}
    assert sum(name.startswith("{acme}:") for name in cache._entries) == 2
    for bad in ("", "a}b", "{acme}", "a b"):
        with pytest.raises(InvalidRequest):
            values.scoped(bad)


async def test_a_tenants_loads_end_with_all_others(cache: Counted, clock: MemoryClock) -> None:
    async with CachedValues(cache, clock) as values:
        acme = values.scoped("acme")
        assert await acme.get_or_load("key", one, ttl=MINUTE) == b"one"
    with pytest.raises(Conflict):
        await acme.get_or_load("key", one, ttl=MINUTE)


async def test_the_longest_keys_fit_for_the_longest_tenant(values: CachedValues) -> None:
    longest, tenant = "k" * LONGEST_KEY, values.scoped("t" * 128)
    await tenant.set(longest, b"1", ttl=MINUTE)
    assert await tenant.get(longest) == b"1"
    assert await tenant.get_or_load(longest, one, ttl=MINUTE) == b"one"
    with pytest.raises(InvalidRequest):
        await tenant.get(longest + "k")


async def test_an_outage_is_not_absence(values: CachedValues, cache: Counted) -> None:
    await values.set("key", b"1", ttl=MINUTE)
    cache.away = True
    with pytest.raises(Unavailable):
        await values.get("key")
    with pytest.raises(Unavailable):
        await values.get_json("key")
    assert await values.get_or_load("key", one, ttl=MINUTE) == b"one"


async def test_what_is_near_is_not_asked_for_again_until_its_moment_is_over(
    cache: Counted, clock: MemoryClock
) -> None:
    async with (
        CachedValues(cache, clock, near=2 * SECOND) as values,
        CachedValues(cache, clock) as elsewhere,
    ):
        assert await values.get_or_load("key", one, ttl=MINUTE) == b"one"
        asked = cache.asked
        for _ in range(10):
            assert await values.get_or_load("key", one, ttl=MINUTE) == b"one"
        assert cache.asked == asked
        await values.forget("key")

        async def two() -> bytes:
            return b"two"

        assert await values.get_or_load("key", two, ttl=MINUTE) == b"two"
        await elsewhere.forget("key")
        assert await values.get_or_load("key", one, ttl=MINUTE) == b"two"
        clock.advance(2 * SECOND)
        assert await values.get_or_load("key", one, ttl=MINUTE) == b"one"


def test_what_is_near_is_bounded_and_the_longest_unasked_goes_first() -> None:
    at = MemoryClock().now()
    near = NearValues(seconds=1.0, most_bytes=4000)
    for number in range(3):
        near.keep(f"{number}", LoadedValue(bytes(1000), at, SECOND, SECOND), now=0.0)
    assert near.get("0", now=0.5) is not None
    near.keep("3", LoadedValue(bytes(1000), at, SECOND, SECOND), now=0.5)
    assert [near.get(str(n), now=0.6) is not None for n in range(4)] == [True, False, True, True]
    assert near.get("0", now=1.0) is None
    near.keep("large", LoadedValue(bytes(5000), at, SECOND, SECOND), now=1.0)
    assert near.get("large", now=1.0) is None
    assert near.get("3", now=1.1) is None
