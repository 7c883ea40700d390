"""What a key may use is read and written alike, and bounded; quotas follow the calendar of UTC."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.key_limits import (
    MOST_LIMITS,
    KeyLimit,
    OnOutage,
    Quota,
    QuotaPeriod,
    checked_calls,
    checked_limits,
    checked_on_outage,
)
from tollkeeper.domain.rate_limits import RateLimit

DAY, MONTH = QuotaPeriod.DAY, QuotaPeriod.MONTH
TICK = timedelta(microseconds=1)
PER_SECOND = KeyLimit(RateLimit(1, timedelta(seconds=1)))
QUOTAS = st.builds(Quota, st.integers(1, 10**18 - 1), st.sampled_from(QuotaPeriod))
LIMITS = st.builds(
    KeyLimit,
    st.builds(
        RateLimit,
        st.integers(1, 10**9 - 1),
        st.sampled_from([timedelta(seconds=s) for s in (1, 60, 3600, 86400)]),
    ),
    st.sampled_from(OnOutage),
)


def utc(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)  # type: ignore[arg-type, misc]  # no number is a time zone


@given(QUOTAS)
def test_a_quota_is_read_as_it_is_written(quota: Quota) -> None:
    assert Quota.parse(str(quota)) == quota


@given(LIMITS)
def test_a_limit_is_read_as_it_is_written(limit: KeyLimit) -> None:
    assert KeyLimit.parse(str(limit)) == limit


def test_a_limit_without_a_policy_is_closed() -> None:
    assert KeyLimit.parse("60/minute") == KeyLimit.parse("60/minute:closed")
    assert KeyLimit.parse("60/minute:").on_outage is OnOutage.CLOSED


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "5",
            "/day",
            "5/",
            "5/year",
            "5/days",
            "0/day",
            "-1/day",
            "05/day",
            "5 /day",
            "5/day\n",
        ),
        *("٣/day", "1.0/day", "1e3/day", f"{10**18}/day", "5/DAY", "5/day/day", None, 5, b"5/day"),
    ],
)
def test_what_is_no_quota_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Quota.parse(text)
    assert refused.value.code == "invalid_quota"


@pytest.mark.parametrize("calls", [0, -1, True, 1.0, "1", None, 10**18])
def test_a_quota_allows_a_whole_number_of_calls(calls: int) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Quota(calls)
    assert refused.value.code == "invalid_quota"
    with pytest.raises(InvalidRequest) as refused:
        checked_calls(calls)
    assert refused.value.code == "invalid_calls"


def test_calls_within_bounds_are_taken() -> None:
    assert [checked_calls(calls) for calls in (1, 10**18 - 1)] == [1, 10**18 - 1]
    assert Quota(10**18 - 1).calls == 10**18 - 1


@pytest.mark.parametrize("period", ["year", "", None, 1, [], "DAY"])
def test_a_quota_is_of_a_day_or_a_month(period: QuotaPeriod) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Quota(1, period)
    assert refused.value.code == "invalid_quota"


@pytest.mark.parametrize("text", ["", ":", "60/minute:never", "60/minute:closed:open", None, 60])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        KeyLimit.parse(text)


@pytest.mark.parametrize("policy", ["", "OPEN", "never", None, 1, [], b"open"])
def test_what_is_no_policy_is_refused(policy: OnOutage) -> None:
    for make in (checked_on_outage, lambda each: KeyLimit(PER_SECOND.limit, each)):
        with pytest.raises(InvalidRequest) as refused:
            make(policy)
        assert refused.value.code == "invalid_limit"


def test_a_limit_is_a_rate_limit() -> None:
    with pytest.raises(InvalidRequest) as refused:
        KeyLimit("60/minute")  # type: ignore[arg-type]  # what is refused
    assert refused.value.code == "invalid_limit"


@pytest.mark.parametrize(
    ("period", "at", "starts", "ends"),
    [
        (DAY, utc(2001, 1, 1), utc(2001, 1, 1), utc(2001, 1, 2)),
        (DAY, utc(2001, 1, 1, 23, 59, 59, 999_999), utc(2001, 1, 1), utc(2001, 1, 2)),
        (DAY, utc(2000, 2, 29, 12), utc(2000, 2, 29), utc(2000, 3, 1)),
        (DAY, utc(2001, 2, 28, 12), utc(2001, 2, 28), utc(2001, 3, 1)),
        (DAY, utc(2001, 12, 31, 1), utc(2001, 12, 31), utc(2002, 1, 1)),
        (MONTH, utc(2001, 1, 31, 23), utc(2001, 1, 1), utc(2001, 2, 1)),
        (MONTH, utc(2001, 2, 28, 23), utc(2001, 2, 1), utc(2001, 3, 1)),
        (MONTH, utc(2000, 2, 29, 23), utc(2000, 2, 1), utc(2000, 3, 1)),
        (MONTH, utc(1900, 2, 28, 23), utc(1900, 2, 1), utc(1900, 3, 1)),
        (MONTH, utc(2001, 4, 30), utc(2001, 4, 1), utc(2001, 5, 1)),
        (MONTH, utc(2001, 12, 31, 23, 59, 59, 999_999), utc(2001, 12, 1), utc(2002, 1, 1)),
        (MONTH, utc(2002, 1, 1), utc(2002, 1, 1), utc(2002, 2, 1)),
    ],
)
def test_a_period_is_one_of_the_calendar(
    period: QuotaPeriod, at: datetime, starts: datetime, ends: datetime
) -> None:
    quota = Quota(1, period)
    assert (quota.starts(at), quota.ends(at)) == (starts, ends)


def test_a_period_is_one_of_utc_wherever_the_caller_is() -> None:
    east = datetime(2002, 1, 1, 3, tzinfo=ZoneInfo("Asia/Tokyo"))  # 18:00 of the day before
    west = datetime(2001, 12, 31, 20, tzinfo=timezone(timedelta(hours=-5)))  # 01:00 of the next
    odd = datetime(2001, 3, 1, 5, 44, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    assert Quota(1).starts(east) == utc(2001, 12, 1)
    assert Quota(1, DAY).starts(east) == utc(2001, 12, 31)
    assert Quota(1).starts(west) == utc(2002, 1, 1)
    assert Quota(1, DAY).ends(west) == utc(2002, 1, 2)
    assert Quota(1).ends(odd) == utc(2001, 3, 1)
    for quota in (Quota(1), Quota(1, DAY)):
        assert quota.starts(west).tzinfo is UTC


@given(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 11, 29)),
    st.integers(-14 * 60, 14 * 60),
    st.sampled_from(QuotaPeriod),
)
def test_periods_follow_one_another_without_gap(
    local: datetime, minutes: int, period: QuotaPeriod
) -> None:
    at = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    quota = Quota(1, period)
    starts, ends = quota.starts(at), quota.ends(at)
    assert starts <= at < ends
    assert quota.starts(starts) == quota.starts(ends - TICK) == starts
    assert quota.starts(ends) == ends
    assert quota.ends(starts) == quota.ends(ends - TICK) == ends
    assert ends - starts in [timedelta(days=d) for d in ((1,) if period is DAY else range(28, 32))]


@pytest.mark.parametrize("at", [datetime(2001, 1, 1), None, 0, "2001-01-01"])
def test_a_moment_is_one_with_a_time_zone(at: datetime) -> None:
    for asked in (Quota(1).starts, Quota(1).ends):
        with pytest.raises(InvalidRequest):
            asked(at)


def test_the_last_period_of_all_has_no_end() -> None:
    for period in QuotaPeriod:
        last = datetime.max.replace(tzinfo=UTC)
        assert Quota(1, period).starts(last).year == 9999
        with pytest.raises(InvalidRequest, match="9999"):
            Quota(1, period).ends(last)


def test_limits_are_put_in_order_and_each_is_of_another_period() -> None:
    second, day = PER_SECOND, KeyLimit.parse("9/day")
    assert checked_limits([day, second]) == checked_limits((second, day)) == (second, day)
    assert checked_limits([]) == ()
    most = [KeyLimit(RateLimit(1, timedelta(seconds=1 + n))) for n in range(MOST_LIMITS)]
    assert checked_limits(most) == tuple(most)
    one_more = [*most, day]
    same_period = [second, KeyLimit.parse("2/second:open")]
    for refused in (one_more, same_period, [second, "9/day"], "9/day", second, None, {second}):
        with pytest.raises(InvalidRequest) as error:
            checked_limits(refused)  # type: ignore[arg-type]  # what is refused
        assert error.value.code == "invalid_limit"
