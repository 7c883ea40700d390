"""Money as whole nano-units: 1 USD is 1 000 000 000 nanos. No float comes near it.

Nano and not micro, because four of five per-token prices in use are no whole number of
micro-dollars.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Self

from attrs import frozen

from tollkeeper.domain.errors import InvalidRequest

NANOS_PER_UNIT = 1_000_000_000
LARGEST_NANOS = 2**63 - 1
"""What a 64-bit column holds: 9.2 thousand million units."""

_CURRENCY = re.compile(r"[A-Z][A-Z0-9]{2,9}")
_WRITTEN = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
"""Stricter than Decimal, which takes ``1_0`` for ten."""


@lru_cache(maxsize=256)
def _is_currency(text: str) -> bool:
    return len(text) <= 10 and _CURRENCY.fullmatch(text) is not None


@frozen(order=False)
class Money:
    """An exact amount of one currency; *nanos* may be negative.

    Raises:
        InvalidRequest: *nanos* is no int or does not fit 64 bits; *currency* is malformed.
    """

    nanos: int
    currency: str

    def __attrs_post_init__(self) -> None:
        # One check for both: a call makes twenty of these.
        if type(self.nanos) is not int:
            raise InvalidRequest("an amount is a whole number of nano-units", code="invalid_amount")
        if not -LARGEST_NANOS <= self.nanos <= LARGEST_NANOS:
            raise InvalidRequest("the amount is too large", code="invalid_amount")
        if not isinstance(self.currency, str) or not _is_currency(self.currency):
            raise InvalidRequest(
                "a currency is 3-10 capital letters or digits, such as USD",
                code="invalid_currency",
            )

    @classmethod
    def of(cls, amount: str | int | Decimal, currency: str) -> Self:
        """Make *amount* whole units of *currency*: ``Money.of("5.00", "USD")``.

        Raises:
            InvalidRequest: *amount* is a float, no number, or finer than a nano-unit.
        """
        if isinstance(amount, bool) or not isinstance(amount, str | int | Decimal):
            raise InvalidRequest(
                'write amounts as text, int or Decimal, such as Money.of("5.00", "USD")',
                code="invalid_amount",
            )
        if isinstance(amount, str) and not _WRITTEN.fullmatch(amount):
            raise InvalidRequest(
                "the amount is no decimal number; write it as 5.00", code="invalid_amount"
            )
        exact = Decimal(amount)
        if not exact.is_finite() or abs(exact.adjusted()) > 30:
            raise InvalidRequest("the amount is out of range", code="invalid_amount")
        numerator, denominator = exact.as_integer_ratio()
        nanos, rest = divmod(numerator * NANOS_PER_UNIT, denominator)
        if rest:
            raise InvalidRequest(
                "the amount is finer than a nano-unit (9 decimals)", code="invalid_amount"
            )
        return cls(nanos, currency)

    @classmethod
    def zero(cls, currency: str) -> "Money":
        """Make nothing of *currency*."""
        return _nothing(currency) if isinstance(currency, str) else cls(0, currency)

    def _same(self, other: object) -> int:
        if not isinstance(other, Money):
            raise TypeError(f"Money does not mix with {type(other).__name__}")
        if other.currency != self.currency:
            raise InvalidRequest(
                f"{self.currency} and {other.currency} do not mix", code="currency_mismatch"
            )
        return other.nanos

    def __add__(self, other: "Money") -> "Money":
        return Money(self.nanos + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.nanos - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.nanos, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.nanos < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.nanos <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.nanos > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.nanos >= self._same(other)

    def __bool__(self) -> bool:
        return self.nanos != 0

    @property
    def amount(self) -> str:
        """The exact decimal amount, with at least two decimals: ``"0.000125"``."""
        sign = "-" if self.nanos < 0 else ""
        units, nanos = divmod(abs(self.nanos), NANOS_PER_UNIT)
        decimals = f"{nanos:09d}".rstrip("0").ljust(2, "0")
        return f"{sign}{units}.{decimals}"

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


@lru_cache(maxsize=256)
def _nothing(currency: str) -> Money:
    return Money(0, currency)
