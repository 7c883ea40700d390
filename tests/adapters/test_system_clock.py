"""The system clock keeps the clock's contract and tells the machine's time."""

import time
from datetime import UTC, datetime

import pytest

from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.contracts.clock import ClockContract


class TestSystemClock(ClockContract):
    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()


def test_it_tells_the_machines_time() -> None:
    before, now, after = datetime.now(UTC), SystemClock().now(), datetime.now(UTC)
    assert before <= now <= after


def test_it_moves() -> None:
    clock = SystemClock()
    start, started = clock.now(), clock.monotonic()
    time.sleep(0.01)
    assert clock.now() > start
    assert 0.01 <= clock.monotonic() - started < 10
