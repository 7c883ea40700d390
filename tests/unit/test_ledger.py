"""A hold is resolved once; a balance is what was posted less what is held."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.errors import Conflict, InsufficientCredit, InvalidRequest
from tollkeeper.domain.ledger import Balance, Hold, HoldState
from tollkeeper.domain.money import Money

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
EXPIRY = NOW + timedelta(minutes=10)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def hold(amount: str = "1", purpose: str = "chat") -> Hold:
    return Hold("hold-1", "acme", usd(amount), "key-1", purpose, NOW, EXPIRY)


RESOLVED = {
    HoldState.CAPTURED: hold().capture(usd("0.4"), at=LATER),
    HoldState.RELEASED: hold().release(at=LATER),
    HoldState.EXPIRED: hold().expire(at=EXPIRY),
}


def test_a_hold_is_open_when_it_is_placed() -> None:
    assert hold().state is HoldState.OPEN
    assert hold().captured is None
    assert hold().resolved_at is None


def test_an_open_hold_can_be_captured_released_and_expired() -> None:
    assert {state: h.state for state, h in RESOLVED.items()} == {s: s for s in RESOLVED}
    captured = RESOLVED[HoldState.CAPTURED]
    assert (captured.captured, captured.resolved_at) == (usd("0.4"), LATER)
    assert (RESOLVED[HoldState.EXPIRED].captured, hold().state) == (None, HoldState.OPEN)


@pytest.mark.parametrize("amount", ["0", "0.4", "1", "7"])
def test_a_capture_takes_what_the_call_cost_even_beyond_the_hold(amount: str) -> None:
    assert hold().capture(usd(amount), at=LATER).captured == usd(amount)


@pytest.mark.parametrize("state", [HoldState.CAPTURED, HoldState.RELEASED])
def test_what_is_resolved_is_not_captured_again(state: HoldState) -> None:
    with pytest.raises(Conflict) as refused:
        RESOLVED[state].capture(usd("1"), at=LATER)
    assert refused.value.code == "hold_not_open"


def test_an_expired_hold_is_captured_late() -> None:
    late = RESOLVED[HoldState.EXPIRED].capture(usd("1"), at=EXPIRY)
    assert late.state is HoldState.CAPTURED


def test_what_is_captured_is_not_released() -> None:
    with pytest.raises(Conflict):
        RESOLVED[HoldState.CAPTURED].release(at=LATER)


@pytest.mark.parametrize("state", [HoldState.RELEASED, HoldState.EXPIRED])
def test_releasing_what_is_given_back_changes_nothing(state: HoldState) -> None:
    assert RESOLVED[state].release(at=EXPIRY) == RESOLVED[state]


@pytest.mark.parametrize("state", RESOLVED)
def test_the_clock_takes_nothing_back_from_a_resolved_hold(state: HoldState) -> None:
    assert not RESOLVED[state].is_overdue(EXPIRY)
    assert RESOLVED[state].expire(at=EXPIRY + timedelta(days=1)) == RESOLVED[state]


def test_a_hold_is_overdue_from_its_last_moment_on() -> None:
    assert not hold().is_overdue(EXPIRY - timedelta(microseconds=1))
    assert hold().is_overdue(EXPIRY)


def test_a_capture_is_of_the_same_currency_and_not_negative() -> None:
    with pytest.raises(InvalidRequest) as refused:
        hold().capture(Money.of("1", "EUR"), at=LATER)
    assert refused.value.code == "currency_mismatch"
    with pytest.raises(InvalidRequest):
        hold().capture(usd("-1"), at=LATER)


def test_a_hold_is_neither_negative_nor_over_before_it_begins() -> None:
    with pytest.raises(InvalidRequest):
        hold("-0.01")
    with pytest.raises(InvalidRequest):
        evolve(hold(), expires_at=NOW)


def test_a_replay_brings_the_same_amount_and_purpose() -> None:
    assert hold().is_replay_of(evolve(hold(), id="hold-2", placed_at=NOW - timedelta(hours=1)))
    assert not hold().is_replay_of(hold(amount="2"))
    assert not hold().is_replay_of(hold(purpose="other"))


NANOS = st.integers(-(10**15), 10**15)


@given(NANOS, st.integers(0, 10**15), st.integers(0, 10**15))
def test_a_hold_is_admitted_exactly_if_that_much_is_available(
    posted: int, held: int, wanted: int
) -> None:
    balance = Balance("acme", posted=Money(posted, "USD"), held=Money(held, "USD"))
    assert balance.available.nanos == posted - held
    if wanted > posted - held:
        with pytest.raises(InsufficientCredit):
            balance.with_hold(Money(wanted, "USD"))
    else:
        after = balance.with_hold(Money(wanted, "USD"))
        assert after.available.nanos == posted - held - wanted >= 0
        assert after.posted == balance.posted
        assert after.without_hold(Money(wanted, "USD")) == balance


@given(st.lists(NANOS, max_size=20))
def test_a_balance_is_the_sum_of_its_entries(amounts: list[int]) -> None:
    balance = Balance("acme", posted=Money.zero("USD"), held=Money(5, "USD"))
    for amount in amounts:
        balance = balance.posting(Money(amount, "USD"))
    assert balance.posted.nanos == sum(amounts)
    assert balance.sequence == len(amounts)
    assert balance.held == Money(5, "USD")


def test_a_balance_has_one_currency_and_64_bits() -> None:
    balance = Balance("acme", posted=usd("5"), held=usd("0"))
    with pytest.raises(InvalidRequest):
        balance.with_hold(Money.of("1", "EUR"))
    with pytest.raises(InvalidRequest):
        balance.posting(Money.of("1", "EUR"))
    with pytest.raises(InvalidRequest):
        balance.posting(usd("9223372036"))


def test_a_refusal_names_what_is_needed_and_what_is_there() -> None:
    with pytest.raises(InsufficientCredit, match=r"2\.00 USD.*1\.00 USD"):
        Balance("acme", posted=usd("1"), held=usd("0")).with_hold(usd("2"))
