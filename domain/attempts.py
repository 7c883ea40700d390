"""One record for each request that went to a provider: what became of it, and who pays for it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from attrs import field, frozen

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.meters import Meter, Provenance
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
    quantities: Mapping[Meter, int]
    cost: Money
    price_id: str
    error: str = field(default="")

    def __attrs_post_init__(self) -> None:
        if type(self.number) is not int or self.number < 1:
            raise InvalidRequest("attempts are numbered from 1")
        if self.started_at.utcoffset() is None:
            raise InvalidRequest("an attempt's time needs a time zone")
