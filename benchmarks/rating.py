"""What does a measured quantity cost? Whole nano-units, and the two exact alternatives."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from typing import Any

from benchmarks.contender import Arena, Benchmark, Case, Entry
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.prices import ModelPrices, Price
from tollkeeper.domain.usage import rate_usage

_QUANTITIES = [1, 7, 333, 1_024, 65_537, 999_999, 12_345_678]
_ROUNDS = 200
_MARKUP = 2_000
_AMOUNT = "0.15"
_PER = 1_000_000

_price = Price(Money.of(_AMOUNT, "USD"), _PER)
_decimal = Decimal(_AMOUNT)
_decimal_markup = Decimal(10_000 + _MARKUP) / 10_000
_nano = Decimal("0.000000001")
_fraction = Fraction(_AMOUNT) / _PER
_fraction_markup = Fraction(10_000 + _MARKUP, 10_000)


def ours(quantity: int) -> int:
    """Price by whole nano-units, as a :class:`Money`."""
    return _price.of(quantity, markup_bps=_MARKUP).nanos


def by_decimal(quantity: int) -> int:
    """Price by Decimal, rounded up to nine places."""
    exact = _decimal * quantity * _decimal_markup / _PER
    return int(exact.quantize(_nano, ROUND_CEILING).scaleb(9))


def by_fraction(quantity: int) -> int:
    """Price by Fraction, rounded up to a nano."""
    return math.ceil(_fraction * quantity * _fraction_markup * 10**9)


class Rating:
    """Prices the same quantities over and over by one way."""

    def __init__(self, price: Callable[[int], int]) -> None:
        self._price = price

    async def open(self, arena: Arena) -> None:
        pass

    async def close(self) -> None:
        pass

    async def call(self, mode: str) -> int:
        price = self._price
        for _ in range(_ROUNDS):
            for quantity in _QUANTITIES:
                price(quantity)
        return _ROUNDS * len(_QUANTITIES)

    async def check(self) -> None:
        """Assert that this way agrees with exact fractions."""
        for quantity in range(0, 2_000_000, 997):
            assert self._price(quantity) == by_fraction(quantity)


class WholeEvent(Rating):
    """The usage event with its cost and charge, ready for the ledger."""

    def __init__(self) -> None:
        prices = ModelPrices(
            "openai/gpt-4o-mini", datetime(2024, 7, 18, tzinfo=UTC), {Meter.INPUT_TOKENS: _price}
        )
        at = datetime(2026, 1, 1, tzinfo=UTC)

        def price(quantity: int) -> int:
            events = rate_usage(
                {Meter.INPUT_TOKENS: quantity},
                prices=prices,
                markup_bps=_MARKUP,
                call_id="call_1",
                account="acme",
                key_id="key_1",
                operation="chat:complete",
                model="openai/gpt-4o-mini",
                provenance=Provenance.REPORTED,
                at=at,
            )
            return sum(event.charge.nanos for event in events)

        super().__init__(price)


def _rating(price: Callable[[int], int]) -> Any:
    return lambda: Rating(price)


RATING = Benchmark(
    name="rating",
    title="Pricing a quantity with a markup, exactly, rounded up to a nano",
    operation="price",
    entries=(
        Entry("price", "tollkeeper: Price.of", _rating(ours), side="ours"),
        Entry("event", "the whole event: rate_usage", WholeEvent, side="ours"),
        Entry("decimal", "Decimal", _rating(by_decimal)),
        Entry("fraction", "Fraction", _rating(by_fraction)),
    ),
    cases=(Case("1 at once", 1),),
    baseline="price",
)
