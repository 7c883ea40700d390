"""The contract of :class:`tollkeeper.ports.cache.Cache`."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.errors import Conflict, InvalidRequest
from tollkeeper.ports.cache import Cache

Advance = Callable[[timedelta], Awaitable[None]]
MINUTE = timedelta(minutes=1)
MOMENT = timedelta(milliseconds=10)
MIB = 1 << 20
BAD_KEYS = ["", " ", "two words", "line\nbreak", "nul\0", "tab\t", "\x7f", "\ud800", "k" * 513]


class CacheContract(Contract):
    """What every cache promises while it has room and nothing fails.

    Fixtures: ``cache``, and ``advance``, an async callable that moves the cache's own time on by
    a timedelta. The suite's keys are its own, so that it may run against a live server.
    """

    @pytest.fixture
    def key(self) -> str:
        """Name a key that nobody used before."""
        return f"contract-{uuid.uuid4().hex}"

    async def test_nothing_is_there_at_first(self, cache: Cache, key: str) -> None:
        assert await cache.get(key) is None
        assert await cache.delete(key) is False

    @pytest.mark.parametrize(
        "value", [b"value", b"", bytes(range(256)), b"0", b"\xff" * MIB], ids=len
    )
    async def test_what_is_kept_comes_back(self, cache: Cache, key: str, value: bytes) -> None:
        await cache.set(key, value, ttl=MINUTE)
        for _ in range(2):
            kept = await cache.get(key)
            if len(value) < MIB:
                assert kept == value
            # Compared outside of the assert: to tell two megabytes apart takes pytest for ever.
            same = kept == value
            assert same
            assert type(kept) is bytes
        await cache.delete(key)

    async def test_set_replaces_value_and_time(
        self, cache: Cache, key: str, advance: Advance
    ) -> None:
        await cache.set(key, b"first", ttl=MINUTE)
        await cache.set(key, b"second", ttl=2 * MINUTE)
        await advance(MINUTE + MOMENT)
        assert await cache.get(key) == b"second"
        await cache.set(key, b"third", ttl=MOMENT)
        await advance(2 * MOMENT)
        assert await cache.get(key) is None

    async def test_a_value_lives_as_long_as_its_ttl_and_no_longer(
        self, cache: Cache, key: str, advance: Advance
    ) -> None:
        await cache.set(key, b"value", ttl=MINUTE)
        await advance(MINUTE - 100 * MOMENT)
        assert await cache.get(key) == b"value"
        await advance(101 * MOMENT)
        assert await cache.get(key) is None
        assert await cache.delete(key) is False

    async def test_reading_does_not_lengthen_a_life(
        self, cache: Cache, key: str, advance: Advance
    ) -> None:
        await cache.set(key, b"value", ttl=MINUTE)
        await advance(MINUTE / 2)
        assert await cache.get(key) == b"value"
        assert await cache.add(key, b"other", ttl=10 * MINUTE) is False
        await advance(MINUTE / 2 + MOMENT)
        assert await cache.get(key) is None

    async def test_add_keeps_only_where_nothing_is(
        self, cache: Cache, key: str, advance: Advance
    ) -> None:
        assert await cache.add(key, b"", ttl=MINUTE) is True
        assert await cache.add(key, b"second", ttl=MINUTE) is False
        assert await cache.get(key) == b""
        await advance(MINUTE + MOMENT)
        assert await cache.add(key, b"third", ttl=MINUTE) is True
        assert await cache.get(key) == b"third"
        await cache.delete(key)
        assert await cache.add(key, b"fourth", ttl=MINUTE) is True

    async def test_delete_forgets_and_says_so_once(self, cache: Cache, key: str) -> None:
        await cache.set(key, b"value", ttl=MINUTE)
        assert await cache.delete(key) is True
        assert await cache.delete(key) is False
        assert await cache.get(key) is None

    async def test_deleting_an_expired_value_finds_nothing(
        self, cache: Cache, key: str, advance: Advance
    ) -> None:
        # Nobody has asked for the value since: what is kept still is there no longer.
        await cache.set(key, b"value", ttl=MINUTE)
        await advance(MINUTE + MOMENT)
        assert await cache.delete(key) is False
        assert await cache.get(key) is None

    async def test_one_of_many_adders_succeeds(self, cache: Cache, key: str) -> None:
        values = [str(number).encode() for number in range(100)]
        kept = await asyncio.gather(*(cache.add(key, value, ttl=MINUTE) for value in values))
        assert kept.count(True) == 1
        assert await cache.get(key) == values[kept.index(True)]

    async def test_one_of_many_deleters_is_told_that_something_was_there(
        self, cache: Cache, key: str
    ) -> None:
        await cache.set(key, b"value", ttl=MINUTE)
        told = await asyncio.gather(*(cache.delete(key) for _ in range(50)))
        assert told.count(True) == 1

    async def test_keys_do_not_meet(self, cache: Cache, key: str) -> None:
        keys = [key, key + ":", key.upper(), key + "*", key + "é", key.ljust(512, "x")]
        for name in keys:
            await cache.set(name, name.encode(), ttl=MINUTE)
        assert [await cache.get(name) for name in keys] == [name.encode() for name in keys]
        assert await cache.delete(keys[0]) is True
        assert [await cache.get(name) for name in keys[1:]] == [n.encode() for n in keys[1:]]
        for name in keys[1:]:
            await cache.delete(name)

    async def test_many_values_come_back_by_their_keys(
        self, cache: Cache, key: str, advance: Advance
    ) -> None:
        names = [f"{key}-{number}" for number in range(1000)]
        assert await cache.get_many([]) == {}
        assert await cache.get_many(names) == {}
        await cache.set(names[0], b"short", ttl=MINUTE)
        await cache.set(names[1], b"", ttl=2 * MINUTE)
        await cache.set(names[999], b"long", ttl=2 * MINUTE)
        assert await cache.get_many(names) == {
            names[0]: b"short",
            names[1]: b"",
            names[999]: b"long",
        }
        assert await cache.get_many([names[1], names[1]]) == {names[1]: b""}
        await advance(MINUTE + MOMENT)
        assert await cache.get_many(names[:2]) == {names[1]: b""}
        with pytest.raises(InvalidRequest):
            await cache.get_many([*names, key])
        with pytest.raises(InvalidRequest):
            await cache.get_many([key, "two words"])

    async def test_counting_begins_at_nothing_and_is_exact(self, cache: Cache, key: str) -> None:
        assert await cache.increment(key, ttl=MINUTE) == 1
        assert await cache.increment(key, 41, ttl=MINUTE) == 42
        assert await cache.get(key) == b"42"
        assert await cache.increment(key, -43, ttl=MINUTE) == -1
        assert await cache.increment(key, 0, ttl=MINUTE) == -1
        await cache.set(key, b"9007199254740993", ttl=MINUTE)
        assert await cache.increment(key, 2, ttl=MINUTE) == 9007199254740995

    async def test_two_hundred_who_count_are_all_counted(self, cache: Cache, key: str) -> None:
        sums = await asyncio.gather(*(cache.increment(key, ttl=MINUTE) for _ in range(200)))
        assert sorted(sums) == list(range(1, 201))

    async def test_counting_does_not_lengthen_a_life(
        self, cache: Cache, key: str, advance: Advance
    ) -> None:
        await cache.increment(key, ttl=MINUTE)
        await advance(MINUTE / 2)
        assert await cache.increment(key, ttl=10 * MINUTE) == 2
        await advance(MINUTE / 2 + MOMENT)
        assert await cache.increment(key, ttl=MINUTE) == 1

    @pytest.mark.parametrize(
        "value", [b"", b"one", b"1.5", b"007", b" 1", b"9223372036854775807", b"9" * 30]
    )
    async def test_what_is_no_number_is_not_counted_on(
        self, cache: Cache, key: str, value: bytes
    ) -> None:
        await cache.set(key, value, ttl=MINUTE)
        with pytest.raises(Conflict) as refused:
            await cache.increment(key, ttl=MINUTE)
        assert refused.value.code == "not_a_number"
        assert await cache.get(key) == value

    @pytest.mark.parametrize("by", [1.5, "1", True, 10**15, None], ids=str)
    async def test_steps_that_are_no_whole_numbers_are_refused(
        self, cache: Cache, key: str, by: int
    ) -> None:
        with pytest.raises(InvalidRequest):
            await cache.increment(key, by, ttl=MINUTE)
        with pytest.raises(InvalidRequest):
            await cache.increment(key, ttl=timedelta(0))
        assert await cache.get(key) is None

    async def test_a_life_can_be_made_longer_and_shorter(
        self, cache: Cache, key: str, advance: Advance
    ) -> None:
        assert await cache.expire(key, ttl=MINUTE) is False
        await cache.set(key, b"value", ttl=MINUTE)
        assert await cache.expire(key, ttl=3 * MINUTE) is True
        await advance(2 * MINUTE)
        assert await cache.get(key) == b"value"
        assert await cache.expire(key, ttl=MOMENT) is True
        await advance(2 * MOMENT)
        assert await cache.expire(key, ttl=MINUTE) is False
        assert await cache.get(key) is None
        with pytest.raises(InvalidRequest):
            await cache.expire(key, ttl=timedelta(0))

    @pytest.mark.parametrize("bad", BAD_KEYS, ids=ascii)
    async def test_malformed_keys_are_refused(self, cache: Cache, bad: str) -> None:
        with pytest.raises(InvalidRequest):
            await cache.get(bad)
        with pytest.raises(InvalidRequest):
            await cache.set(bad, b"", ttl=MINUTE)
        with pytest.raises(InvalidRequest):
            await cache.add(bad, b"", ttl=MINUTE)
        with pytest.raises(InvalidRequest):
            await cache.delete(bad)
        with pytest.raises(InvalidRequest):
            await cache.increment(bad, ttl=MINUTE)
        with pytest.raises(InvalidRequest):
            await cache.expire(bad, ttl=MINUTE)

    @pytest.mark.parametrize("ttl", [timedelta(0), -MINUTE, 60], ids=str)
    async def test_lives_that_are_not_positive_are_refused(
        self, cache: Cache, key: str, ttl: timedelta
    ) -> None:
        await self._refuses(cache, key, b"new", ttl)

    async def test_oversized_values_are_refused(self, cache: Cache, key: str) -> None:
        await self._refuses(cache, key, bytes(MIB + 1), MINUTE)

    async def test_values_other_than_bytes_are_refused(self, cache: Cache, key: str) -> None:
        await self._refuses(cache, key, "text", MINUTE)

    async def _refuses(self, cache: Cache, key: str, value: object, ttl: timedelta) -> None:
        with pytest.raises(InvalidRequest):
            await cache.add(key, value, ttl=ttl)  # type: ignore[arg-type]
        assert await cache.get(key) is None
        await cache.set(key, b"old", ttl=MINUTE)
        with pytest.raises(InvalidRequest):
            await cache.set(key, value, ttl=ttl)  # type: ignore[arg-type]
        assert await cache.get(key) == b"old"

    async def test_a_caller_who_leaves_breaks_nothing(self, cache: Cache, key: str) -> None:
        for turn in range(20):
            task = asyncio.ensure_future(cache.set(key, str(turn).encode(), ttl=MINUTE))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await cache.set(key, b"last", ttl=MINUTE)
        assert await cache.get(key) == b"last"
