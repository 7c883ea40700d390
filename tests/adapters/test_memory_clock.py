"""The memory clock keeps the clock's contract and stands until it is moved."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.contracts.clock import ClockContract
from tollkeeper.domain.errors import InvalidRequest

MINUTE = timedelta(minutes=1)


class TestMemoryClock(ClockContract):
    @pytest.fixture
    def clock(self) -> MemoryClock:
        return MemoryClock()


def test_it_stands_still() -> None:
    clock = MemoryClock()
    assert clock.now() == clock.now() == datetime(2001, 1, 1, 12, tzinfo=UTC)
    assert clock.monotonic() == clock.monotonic() == 0


def test_it_begins_where_it_is_told_to_in_utc() -> None:
    there = datetime(2026, 7, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert str(MemoryClock(there).now()) == "2026-07-01 12:00:00+00:00"
    with pytest.raises(InvalidRequest):
        MemoryClock(datetime(2026, 7, 1))


def test_it_moves_on_as_far_as_it_is_told_to() -> None:
    clock = MemoryClock()
    start = clock.now()
    clock.advance(timedelta(days=3, microseconds=1))
    assert clock.now() - start == timedelta(days=3, microseconds=1)
    assert round(clock.monotonic() * 1_000_000) == 3 * 86_400_000_000 + 1


def test_set_back_it_still_counts_on() -> None:
    clock = MemoryClock()
    start = clock.now()
    clock.advance(MINUTE)
    clock.advance(-2 * MINUTE)
    assert clock.now() == start - MINUTE
    assert clock.monotonic() == 60


def test_threads_lose_no_step() -> None:
    clock = MemoryClock()
    start = clock.now()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: clock.advance(MINUTE), range(2000)))
    assert clock.now() - start == 2000 * MINUTE
    assert clock.monotonic() == 120_000
