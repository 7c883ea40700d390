"""Attempts of callers whom nobody knows are limited before any store is asked, in little memory."""

import gc
import secrets
import tracemalloc
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.application.attempt_limits import AttemptLimits
from tollkeeper.domain.errors import ConfigurationError, InvalidRequest, RateLimited
from tollkeeper.domain.rate_limits import RateLimit

KEY = b"canary-0123456789-canary"
PER_CLIENT = RateLimit(3, timedelta(minutes=1))
OVERALL = RateLimit(100, timedelta(minutes=1))
HERE = "203.0.113.7"


def limits(
    *, per_client: RateLimit = PER_CLIENT, overall: RateLimit = OVERALL, most: int = 10_000
) -> tuple[AttemptLimits, MemoryClock]:
    clock = MemoryClock()
    return AttemptLimits(clock, per_client, overall, name_key=KEY, most_buckets=most), clock


def passed(attempts: AttemptLimits, address: str | None, kid: str = "kid", tries: int = 200) -> int:
    """Try until refused, and return how many attempts passed."""
    for number in range(tries):
        try:
            attempts.take(address, kid)
        except RateLimited:
            return number
    return tries


def network(number: int) -> str:
    """Return an address in the network of that *number*."""
    return f"10.{number >> 8 & 255}.{number & 255}.1"


def test_a_client_that_tries_too_often_is_told_when_to_come_back() -> None:
    attempts, clock = limits()
    assert passed(attempts, HERE) == 3
    with pytest.raises(RateLimited) as refused:
        attempts.take(HERE, "kid")
    assert refused.value.code == "too_many_attempts"
    assert str(refused.value) == "too many attempts; try again in 20 s"
    assert refused.value.retry_after == timedelta(seconds=20)
    clock.advance(refused.value.retry_after)
    assert passed(attempts, HERE) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (HERE, "203.0.113.255", True),
        (HERE, "203.0.114.7", False),
        (HERE, "::ffff:203.0.113.9", True),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        (None, "no address", True),
        (None, "", True),
        (None, "203.0.113.7, 10.0.0.1", True),
        (None, HERE, False),
        ("0.0.0.1", "::1", False),
    ],
)
def test_a_client_is_a_network(one: str | None, other: str, *, same: bool) -> None:
    attempts, _ = limits()
    assert passed(attempts, one) == 3
    assert passed(attempts, other) == (0 if same else 3)


def test_each_kid_is_counted_apart_and_all_together() -> None:
    attempts, _ = limits()
    assert passed(attempts, HERE, "one") == 3
    assert passed(attempts, HERE, "two") == 3
    assert sum(passed(attempts, f"198.51.{n}.1", "kid") for n in range(100)) == 94
    with pytest.raises(RateLimited) as refused:
        attempts.take("192.0.2.1", "new")
    assert refused.value.code == "too_many_attempts"


def test_who_is_refused_uses_up_nothing_of_what_all_have_together() -> None:
    attempts, _ = limits()
    assert passed(attempts, HERE) == 3
    for _ in range(500):
        with pytest.raises(RateLimited):
            attempts.take(HERE, "kid")
    assert sum(passed(attempts, f"198.51.{n}.1", "kid") for n in range(100)) == 97


def test_a_network_that_tries_many_kids_is_stopped_before_it_uses_up_what_all_have() -> None:
    attempts, clock = limits()
    assert sum(passed(attempts, HERE, f"kid {number}", tries=1) for number in range(200)) == 30
    with pytest.raises(RateLimited) as refused:
        attempts.take("203.0.113.200", "yet another")
    assert str(refused.value) == "too many attempts; try again in 2 s"
    assert passed(attempts, "198.51.100.1") == 3  # others are not kept out by it
    clock.advance(timedelta(seconds=2))
    assert passed(attempts, HERE, "yet another") == 1
    attempts.give_back(HERE, "yet another")
    assert passed(attempts, HERE, "and another") == 1


def test_nobody_is_taken_for_a_network_because_the_address_is_unknown() -> None:
    attempts, _ = limits()
    assert sum(passed(attempts, None, f"kid {number}", tries=1) for number in range(200)) == 100


def test_good_attempts_are_given_back_and_use_up_nothing() -> None:
    attempts, _ = limits()
    for _ in range(500):
        attempts.take(HERE, "kid")
        attempts.give_back(HERE, "kid")
    assert attempts.buckets == 0
    assert passed(attempts, HERE) == 3
    attempts.give_back("203.0.113.200", "kid")
    assert passed(attempts, HERE) == 1


@given(st.lists(st.sampled_from(["take", "good", "wait"]), max_size=60))
def test_given_back_or_not_never_more_bad_attempts_pass_than_the_limit(steps: list[str]) -> None:
    attempts, clock = limits(overall=RateLimit(10**6, timedelta(minutes=1)))
    bad, waited = 0, timedelta(0)
    for step in steps:
        if step == "wait":
            clock.advance(timedelta(seconds=7))
            waited += timedelta(seconds=7)
            continue
        try:
            attempts.take(HERE, "kid")
        except RateLimited:
            continue
        if step == "good":
            attempts.give_back(HERE, "kid")
        else:
            bad += 1
    assert bad <= 3 + waited // timedelta(seconds=20)


def test_a_flood_of_random_kids_neither_grows_memory_nor_frees_who_was_refused() -> None:
    """Try many random kids: memory is bounded, and who was refused stays so (T14)."""
    attempts, _ = limits(overall=RateLimit(10**9, timedelta(seconds=1)), most=1000)
    assert passed(attempts, HERE, "target") == 3
    for number in range(5_000):
        attempts.take(network(number), secrets.token_hex(10))
        if number % 250 == 0:
            with pytest.raises(RateLimited):
                attempts.take(HERE, "target")
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(5_000):
            attempts.take(network(number), f"{number:020}")
        assert tracemalloc.get_traced_memory()[0] - before < 600_000
    finally:
        tracemalloc.stop()
    assert attempts.buckets == 1000


@pytest.mark.soak
def test_a_million_random_kids_are_limited_and_take_bounded_memory() -> None:
    """Try 10^6 random well-formed kids (T14)."""
    attempts, clock = limits(overall=RateLimit(1000, timedelta(seconds=1)))
    through = 0
    for number in range(1_000_000):
        through += passed(attempts, network(number), f"{number:020}", tries=1)
        if number % 100 == 0:
            clock.advance(timedelta(milliseconds=10))
    assert attempts.buckets <= 20_000
    assert through <= 1000 + 100_000


def test_no_bucket_tells_who_tried_what() -> None:
    attempts, _ = limits()
    attempts.take(HERE, "secret-kid")
    names = list(attempts._buckets._arrivals)
    assert len(names) == 3
    for told in (HERE, "203.0.113", "secret-kid", KEY.decode(), KEY.hex()):
        assert told not in repr((names, attempts, vars(attempts)))
    other = AttemptLimits(MemoryClock(), PER_CLIENT, OVERALL, name_key=b"1" * 16)
    other.take(HERE, "secret-kid")
    assert set(names) & set(other._buckets._arrivals) == {"overall"}


@pytest.mark.parametrize("kid", ["", "\0", "é" * 75, "\ud800", "a\nb", "'; DROP TABLE"])
def test_any_text_may_be_tried(kid: str) -> None:
    attempts, _ = limits()
    assert passed(attempts, HERE, kid) == 3


@pytest.mark.parametrize("kid", [None, 5, b"kid"])
def test_a_kid_is_text(kid: object) -> None:
    attempts, _ = limits()
    with pytest.raises(InvalidRequest):
        attempts.take(HERE, kid)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(InvalidRequest):
        attempts.give_back(HERE, kid)  # type: ignore[arg-type]  # what is refused


@pytest.mark.parametrize(
    "wrong",
    [
        {"name_key": b"x" * 15},
        {"name_key": "canary" * 4},
        {"per_client": "3/minute"},
        {"overall": None},
        {"most_buckets": 2},
        {"most_buckets": True},
    ],
    ids=str,
)
def test_wrong_wiring_stops_the_start_and_shows_no_key(wrong: dict[str, object]) -> None:
    arguments = {"per_client": PER_CLIENT, "overall": OVERALL, "name_key": KEY, **wrong}
    with pytest.raises(ConfigurationError) as refused:
        AttemptLimits(MemoryClock(), **arguments)  # type: ignore[arg-type]  # what is refused
    traceback = refused.value.__traceback__
    assert traceback is not None
    assert traceback.tb_next is not None
    assert "canary" not in repr(traceback.tb_next.tb_frame.f_locals)
    assert "canary" not in str(refused.value)
