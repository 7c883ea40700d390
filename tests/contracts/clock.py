"""The contract of :class:`tollkeeper.ports.clock.Clock`."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from tollkeeper.contracts.contract import Contract
from tollkeeper.ports.clock import Clock


class ClockContract(Contract):
    """What every clock promises. Fixture: ``clock``."""

    async def test_now_is_an_aware_time_in_utc(self, clock: Clock) -> None:
        at = clock.now()
        assert type(at) is datetime
        assert at.tzinfo is UTC
        assert at.utcoffset() == timedelta(0)

    async def test_monotonic_counts_in_seconds_and_never_goes_back(self, clock: Clock) -> None:
        seen = [clock.monotonic() for _ in range(1000)]
        assert all(isinstance(seconds, float) for seconds in seen)
        assert seen == sorted(seen)

    async def test_monotonic_goes_as_fast_as_now(self, clock: Clock) -> None:
        # A machine's wall clock may be put right in between: hence the wide margin.
        start, started = clock.now(), clock.monotonic()
        for _ in range(10_000):
            clock.now()
        by_wall = (clock.now() - start).total_seconds()
        assert abs(by_wall - (clock.monotonic() - started)) < 1

    async def test_threads_may_share_it(self, clock: Clock) -> None:
        def look() -> list[float]:
            return [clock.monotonic() for _ in range(500) if clock.now().tzinfo is UTC]

        with ThreadPoolExecutor(8) as threads:
            for seen in [future.result() for future in [threads.submit(look) for _ in range(8)]]:
                assert len(seen) == 500
                assert seen == sorted(seen)
