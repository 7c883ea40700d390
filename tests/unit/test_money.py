"""Money is exact, bounded, and never mixes."""

from decimal import Decimal
from fractions import Fraction
from operator import add, ge, gt, le, lt, mul, sub

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.money import LARGEST_NANOS, NANOS_PER_UNIT, Money

NANOS = st.integers(-LARGEST_NANOS, LARGEST_NANOS)
HALF = st.integers(-(LARGEST_NANOS // 2), LARGEST_NANOS // 2)


@given(NANOS)
def test_the_amount_is_written_exactly_and_read_back(nanos: int) -> None:
    money = Money(nanos, "USD")
    assert Fraction(money.amount) * NANOS_PER_UNIT == nanos
    assert Money.of(money.amount, "USD") == money
    assert Money.of(Decimal(money.amount), "USD") == money


@given(NANOS)
def test_the_text_has_two_to_nine_decimals_and_the_currency(nanos: int) -> None:
    amount, currency = str(Money(nanos, "USD")).split()
    assert currency == "USD"
    assert 2 <= len(amount.partition(".")[2]) <= 9
    assert (amount[0] == "-") == (nanos < 0)


@given(HALF, HALF)
def test_adding_and_subtracting_are_exact(a: int, b: int) -> None:
    assert (Money(a, "USD") + Money(b, "USD")).nanos == a + b
    assert (Money(a, "USD") - Money(b, "USD")).nanos == a - b
    assert (-Money(a, "USD")).nanos == -a
    assert bool(Money(a, "USD")) is (a != 0)


@given(NANOS, NANOS)
def test_amounts_are_ordered_as_their_nanos_are(a: int, b: int) -> None:
    for compare in (lt, le, gt, ge):
        assert compare(Money(a, "USD"), Money(b, "USD")) is compare(a, b)


@pytest.mark.parametrize(
    ("amount", "nanos"),
    [
        ("5.00", 5_000_000_000),
        ("5", 5_000_000_000),
        (5, 5_000_000_000),
        ("-0.000000001", -1),
        ("+1.5", 1_500_000_000),
        ("0.1", 100_000_000),
        (Decimal("0.1"), 100_000_000),
        ("9223372036.854775807", LARGEST_NANOS),
        ("0", 0),
        ("1.100000000000000", 1_100_000_000),
    ],
)
def test_whole_units_are_read_exactly(amount: str | int | Decimal, nanos: int) -> None:
    assert Money.of(amount, "USD") == Money(nanos, "USD")


@pytest.mark.parametrize(
    "amount",
    [
        0.1, 5.0, True, None, b"5", [5], Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"),
        Decimal("1e-10"), Decimal("1e40"), 10**40, "", " 5", "5 ", "5,00", "1_0", "1e3", ".5", "5.",
        "\u0665", "NaN", "Infinity", "0x5", "0.0000000001", "9223372036.854775808", "1" * 31, "5\n",
        "--5", "USD",
    ],
    ids=repr,
)  # fmt: skip
def test_anything_else_is_refused(amount: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Money.of(amount, "USD")
    assert refused.value.code == "invalid_amount"


@pytest.mark.parametrize(
    "nanos", [0.0, 1.5, True, "1", None, 2**63, -(2**63), Decimal(1)], ids=repr
)
def test_nanos_are_ints_of_64_bits(nanos: int) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Money(nanos, "USD")
    assert refused.value.code == "invalid_amount"


@pytest.mark.parametrize(
    "currency", ["", "usd", "US", "U D", "USD\n", "ÜSD", "1US", "A" * 11, None, 5, b"USD"], ids=repr
)
def test_a_currency_is_capital_letters(currency: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Money.zero(currency)
    assert refused.value.code == "invalid_currency"


def test_a_sum_that_does_not_fit_is_refused_instead_of_wrapping() -> None:
    with pytest.raises(InvalidRequest):
        Money(LARGEST_NANOS, "USD") + Money(1, "USD")
    with pytest.raises(InvalidRequest):
        Money(-LARGEST_NANOS, "USD") - Money(1, "USD")


@pytest.mark.parametrize("operation", [add, sub, lt, le, gt, ge])
def test_two_currencies_do_not_mix(operation: object) -> None:
    assert callable(operation)
    with pytest.raises(InvalidRequest) as refused:
        operation(Money.of(1, "USD"), Money.of(1, "EUR"))
    assert refused.value.code == "currency_mismatch"
    assert Money.of(1, "USD") != Money.of(1, "EUR")


@pytest.mark.parametrize("operation", [add, sub, lt, le, gt, ge])
@pytest.mark.parametrize("other", [1.0, 1, Decimal(1), "1", None], ids=repr)
def test_money_mixes_with_money_alone(operation: object, other: object) -> None:
    assert callable(operation)
    with pytest.raises(TypeError):
        operation(Money.of(1, "USD"), other)
    with pytest.raises(TypeError):
        operation(other, Money.of(1, "USD"))


@pytest.mark.parametrize("factor", [2, 2.0, Decimal(2)], ids=repr)
def test_money_is_neither_multiplied_nor_divided(factor: object) -> None:
    # Proportions are the business of prices, which round once and say how.
    for name in ("__mul__", "__rmul__", "__truediv__", "__floordiv__", "__float__", "__int__"):
        assert not hasattr(Money, name)
    with pytest.raises(TypeError):
        mul(Money.of(1, "USD"), factor)


def test_money_cannot_be_changed() -> None:
    money = Money.of(1, "USD")
    with pytest.raises(AttributeError):
        money.nanos = 5  # type: ignore[misc]
    assert {money: 1}[Money.of("1.0", "USD")] == 1
