"""One record for each request that went to a provider: what became of it, and who pays for it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from attrs import field, frozen

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.meters import Meter, Provenance, Quantities
from tollkeeper.domain.money import Money


class Outcome(StrEnum):
    """How an attempt ended."""

    ANSWERED = "answered"
    """The answer is complete."""
    FAILED = "failed"
    """It ended in an error, whatever came before."""
    ABANDONED = "abandoned"
    """We left: the caller went away, or another attempt was faster."""


class Billed(StrEnum):
    """Whether the provider bills an attempt."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """It may: the request was sent, and no usage was reported."""


class Settlement(StrEnum):
    """Who bears the cost of an attempt."""

    CHARGED = "charged"
    """The account paid for it."""
    WRITTEN_OFF = "written_off"
    """The host bears it: it cost, or may have cost, money and delivered nothing."""
    NOTHING = "nothing"
    """It cost nothing."""


def _quantities(quantities: Mapping[Meter, int]) -> Quantities:
    # A copy: a record stays as it was made, whatever becomes of the counts that it was made of.
    if type(quantities) is Quantities:
        return quantities
    try:
        return Quantities({Meter(meter): quantity for meter, quantity in quantities.items()})
    except (AttributeError, ValueError):
        raise InvalidRequest("an attempt's quantities are counts by meter") from None


def _check_quantities(_: object, __: object, quantities: Mapping[Meter, int]) -> None:
    for n in quantities.values():
        if type(n) is not int or not 0 <= n < 2**63:
            raise InvalidRequest("a quantity is a whole number, 0 or more", code="invalid_quantity")


@frozen
class Attempt:
    """The *number*-th request of a call, counted from 1.

    *quantities* are what it used, as far as *provenance* knows; *cost* is what the provider takes
    for that by the prices *price_id*. *credential* is the label of the key that it bore, never
    the key. *error* is the code of what ended it.
    """

    id: str
    call_id: str
    account: str
    number: int
    provider: str
    model: str
    credential: str
    started_at: datetime
    lasted: timedelta
    outcome: Outcome
    billed: Billed
    settlement: Settlement
    provenance: Provenance
    quantities: Mapping[Meter, int] = field(converter=_quantities, validator=_check_quantities)
    cost: Money
    price_id: str
    error: str = field(default="")

    def __attrs_post_init__(self) -> None:
        if type(self.number) is not int or self.number < 1:
            raise InvalidRequest("attempts are numbered from 1")
        if self.started_at.utcoffset() is None:
            raise InvalidRequest("an attempt's time needs a time zone")
        if self.lasted < timedelta(0):
            raise InvalidRequest("an attempt lasts no less than nothing")
