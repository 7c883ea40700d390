"""The contract of :class:`tollkeeper.ports.quota_counter.QuotaCounter`."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.key_limits import Quota, QuotaPeriod, QuotaUse
from tollkeeper.ports.quota_counter import QuotaCounter

MOMENT = timedelta(microseconds=1)
DAY, MONTH = QuotaPeriod.DAY, QuotaPeriod.MONTH


class QuotaCounterContract(Contract):
    """What every quota counter promises. Fixture: ``quota_counter``.

    The suite's keys are called ``contract-…``.
    """

    @pytest.fixture
    def key_id(self, account: str) -> str:
        """Name a key that nobody counted before."""
        return account

    async def test_nothing_is_used_at_first(
        self, quota_counter: QuotaCounter, key_id: str, now: datetime
    ) -> None:
        later = now + timedelta(days=1)
        for period, day in ((DAY, 2), (MONTH, 1)):
            use = await quota_counter.used(key_id, Quota(5, period), at=later)
            assert use == QuotaUse(datetime(2001, 1, day, tzinfo=UTC), 0)

    async def test_quota_is_given_out_to_the_last_call_and_no_more(
        self, quota_counter: QuotaCounter, key_id: str, now: datetime
    ) -> None:
        quota = Quota(3)
        taken = [await quota_counter.take(key_id, quota, at=now) for _ in range(5)]
        assert taken == [True, True, True, False, False]
        assert (await quota_counter.used(key_id, quota, at=now)).used == 3

    async def test_take_beyond_what_is_left_counts_nothing(
        self, quota_counter: QuotaCounter, key_id: str, now: datetime
    ) -> None:
        quota = Quota(10)
        assert not await quota_counter.take(key_id, quota, at=now, calls=11)
        assert (await quota_counter.used(key_id, quota, at=now)).used == 0
        assert await quota_counter.take(key_id, quota, at=now, calls=7)
        assert not await quota_counter.take(key_id, quota, at=now, calls=4)
        assert (await quota_counter.used(key_id, quota, at=now)).used == 7
        assert await quota_counter.take(key_id, quota, at=now, calls=3)
        assert not await quota_counter.take(key_id, quota, at=now)

    @pytest.mark.parametrize("calls", [0, -1, True, 1.0, "1", None, 10**18], ids=repr)
    async def test_calls_are_a_whole_number_of_one_or_more(
        self, quota_counter: QuotaCounter, key_id: str, now: datetime, calls: int
    ) -> None:
        quota = Quota(10)
        assert await quota_counter.take(key_id, quota, at=now, calls=5)
        for count in (quota_counter.take, quota_counter.give_back):
            with pytest.raises(InvalidRequest) as refused:
                await count(key_id, quota, at=now, calls=calls)
            assert refused.value.code == "invalid_calls"
            assert (await quota_counter.used(key_id, quota, at=now)).used == 5

    async def test_large_numbers_are_counted_exactly(
        self, quota_counter: QuotaCounter, key_id: str, now: datetime
    ) -> None:
        quota = Quota(10**18 - 1)
        assert await quota_counter.take(key_id, quota, at=now, calls=10**18 - 2)
        assert await quota_counter.take(key_id, quota, at=now)
        assert not await quota_counter.take(key_id, quota, at=now)
        assert (await quota_counter.used(key_id, quota, at=now)).used == 10**18 - 1

    async def test_concurrent_takers_get_exactly_the_quota(
        self, quota_counter: QuotaCounter, key_id: str, now: datetime
    ) -> None:
        quota = Quota(50)
        taken = await asyncio.gather(
            *(quota_counter.take(key_id, quota, at=now) for _ in range(200))
        )
        assert sum(taken) == 50
        assert (await quota_counter.used(key_id, quota, at=now)).used == 50

    async def test_concurrent_takers_of_several_calls_never_overdraw(
        self, quota_counter: QuotaCounter, key_id: str, now: datetime
    ) -> None:
        quota = Quota(50)
        sizes = [1, 7, 3, 11, 2] * 8
        taken = await asyncio.gather(
            *(quota_counter.take(key_id, quota, at=now, calls=size) for size in sizes)
        )
        used = (await quota_counter.used(key_id, quota, at=now)).used
        assert used == sum(size for size, got in zip(sizes, taken, strict=True) if got) <= 50
        assert used > 50 - 11 or all(taken)

    async def test_what_is_given_back_can_be_taken_again(
        self, quota_counter: QuotaCounter, key_id: str, now: datetime
    ) -> None:
        quota = Quota(5)
        assert await quota_counter.take(key_id, quota, at=now, calls=5)
        await quota_counter.give_back(key_id, quota, at=now)
        assert (await quota_counter.used(key_id, quota, at=now)).used == 4
        await quota_counter.give_back(key_id, quota, at=now, calls=2)
        assert not await quota_counter.take(key_id, quota, at=now, calls=4)
        assert await quota_counter.take(key_id, quota, at=now, calls=3)

    async def test_no_more_than_was_counted_is_given_back(
        self, quota_counter: QuotaCounter, key_id: str, now: datetime
    ) -> None:
        quota = Quota(5)
        await quota_counter.give_back(key_id, quota, at=now, calls=3)
        assert (await quota_counter.used(key_id, quota, at=now)).used == 0
        assert await quota_counter.take(key_id, quota, at=now, calls=2)
        await quota_counter.give_back(key_id, quota, at=now, calls=3)
        assert (await quota_counter.used(key_id, quota, at=now)).used == 0
        assert not await quota_counter.take(key_id, quota, at=now, calls=6)

    async def test_concurrent_takes_and_returns_balance(
        self, quota_counter: QuotaCounter, key_id: str, now: datetime
    ) -> None:
        quota = Quota(1000)
        await quota_counter.take(key_id, quota, at=now, calls=100)
        await asyncio.gather(
            *(quota_counter.take(key_id, quota, at=now, calls=3) for _ in range(20)),
            *(quota_counter.give_back(key_id, quota, at=now, calls=2) for _ in range(20)),
        )
        assert (await quota_counter.used(key_id, quota, at=now)).used == 120

    @pytest.mark.parametrize(
        ("period", "ends"),
        [
            (DAY, datetime(2001, 1, 2, tzinfo=UTC)),
            (DAY, datetime(2000, 3, 1, tzinfo=UTC)),
            (DAY, datetime(2001, 3, 1, tzinfo=UTC)),
            (DAY, datetime(2002, 1, 1, tzinfo=UTC)),
            (MONTH, datetime(2001, 2, 1, tzinfo=UTC)),
            (MONTH, datetime(2001, 3, 1, tzinfo=UTC)),
            (MONTH, datetime(2000, 3, 1, tzinfo=UTC)),
            (MONTH, datetime(2001, 5, 1, tzinfo=UTC)),
            (MONTH, datetime(2002, 1, 1, tzinfo=UTC)),
        ],
    )
    async def test_period_ends_and_the_next_starts_afresh(
        self, quota_counter: QuotaCounter, key_id: str, period: QuotaPeriod, ends: datetime
    ) -> None:
        quota, before = Quota(2, period), ends - MOMENT
        assert await quota_counter.take(key_id, quota, at=quota.starts(before))
        assert await quota_counter.take(key_id, quota, at=before)
        assert not await quota_counter.take(key_id, quota, at=before)
        assert await quota_counter.used(key_id, quota, at=ends) == QuotaUse(ends, 0)
        assert await quota_counter.take(key_id, quota, at=ends, calls=2)
        # Processes do not all turn the page at once: the period before is still as it was.
        assert not await quota_counter.take(key_id, quota, at=before)
        await quota_counter.give_back(key_id, quota, at=before)
        assert await quota_counter.used(key_id, quota, at=ends) == QuotaUse(ends, 2)
        assert await quota_counter.used(key_id, quota, at=before) == QuotaUse(
            quota.starts(before), 1
        )

    async def test_day_is_one_of_utc_wherever_the_caller_is(
        self, quota_counter: QuotaCounter, key_id: str
    ) -> None:
        quota = Quota(1, DAY)
        west = datetime(2001, 1, 31, 20, tzinfo=timezone(timedelta(hours=-5)))
        assert await quota_counter.take(key_id, quota, at=west)
        assert not await quota_counter.take(key_id, quota, at=datetime(2001, 2, 1, tzinfo=UTC))
        use = await quota_counter.used(key_id, quota, at=west)
        assert use == QuotaUse(datetime(2001, 2, 1, tzinfo=UTC), 1)
        assert await quota_counter.take(key_id, quota, at=datetime(2001, 1, 31, tzinfo=UTC))

    async def test_keys_do_not_share_a_quota(
        self, quota_counter: QuotaCounter, key_id: str, now: datetime
    ) -> None:
        quota = Quota(1)
        assert await quota_counter.take(key_id, quota, at=now)
        assert await quota_counter.take(f"{key_id}-other", quota, at=now)
        assert not await quota_counter.take(key_id, quota, at=now)
        await quota_counter.give_back(f"{key_id}-other", quota, at=now)
        assert (await quota_counter.used(key_id, quota, at=now)).used == 1

    async def test_days_and_months_of_a_key_are_counted_apart(
        self, quota_counter: QuotaCounter, key_id: str
    ) -> None:
        first = datetime(2001, 1, 1, tzinfo=UTC)  # both periods begin at this moment
        assert await quota_counter.take(key_id, Quota(1, DAY), at=first)
        assert await quota_counter.take(key_id, Quota(1, MONTH), at=first)
        assert not await quota_counter.take(key_id, Quota(1, DAY), at=first)
        await quota_counter.give_back(key_id, Quota(1, MONTH), at=first)
        assert (await quota_counter.used(key_id, Quota(1, DAY), at=first)).used == 1

    async def test_other_quota_goes_on_from_what_was_used(
        self, quota_counter: QuotaCounter, key_id: str, now: datetime
    ) -> None:
        assert await quota_counter.take(key_id, Quota(5), at=now, calls=5)
        assert not await quota_counter.take(key_id, Quota(2), at=now)
        assert (await quota_counter.used(key_id, Quota(2), at=now)).used == 5
        assert await quota_counter.take(key_id, Quota(6), at=now)
        assert not await quota_counter.take(key_id, Quota(6), at=now)

    @pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 8, 20, 60])
    async def test_cancelled_take_is_whole(
        self, quota_counter: QuotaCounter, key_id: str, now: datetime, ticks: int
    ) -> None:
        quota = Quota(10)
        task = asyncio.ensure_future(quota_counter.take(key_id, quota, at=now, calls=3))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # By the end of a second take the first has happened, or never will.
        assert await quota_counter.take(key_id, quota, at=now, calls=3)
        assert (await quota_counter.used(key_id, quota, at=now)).used in (3, 6)
