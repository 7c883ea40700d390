"""The record of one request to a provider, made when it is over."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from attrs import define, field, frozen

from tollkeeper.application.admission import Admission
from tollkeeper.domain.attempts import Attempt, Billed, Outcome, Settlement
from tollkeeper.domain.errors import CorruptResponse, PortError, TollkeeperError
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent, total_cost


@frozen
class Ended:
    """How the *number*-th attempt of a call ended, before it is known who pays for it."""

    number: int
    admission: Admission
    provider: str
    credential: str
    started_at: datetime
    lasted: timedelta
    outcome: Outcome
    billed: Billed
    quantities: Mapping[Meter, int]
    provenance: Provenance
    error: str = ""


@define(eq=False)
class AttemptRecords:
    """The attempts of one call."""

    call_id: str
    _ended: dict[int, Ended] = field(factory=dict)
    _begun: int = 0

    def next_number(self) -> int:
        """Count one more attempt, and return its number."""
        self._begun += 1
        return self._begun

    def add(self, ended: Ended) -> None:
        """Take in how an attempt ended."""
        self._ended[ended.number] = ended

    def settled(
        self, *, charged: int | None = None, usage: Sequence[UsageEvent] = ()
    ) -> tuple[Attempt, ...]:
        """Return the records: *usage* is charged for the attempt *charged*, if there is one.

        What else cost money, or may have, is written off.
        """
        return tuple(
            self._record(ended, charged=number == charged, usage=usage)
            for number, ended in sorted(self._ended.items())
        )

    def _record(self, ended: Ended, *, charged: bool, usage: Sequence[UsageEvent]) -> Attempt:
        admission = ended.admission
        settlement = Settlement.NOTHING
        if charged:
            settlement = Settlement.CHARGED
        elif ended.billed is not Billed.NO:
            settlement = Settlement.WRITTEN_OFF
            usage = admission.rate(
                ended.quantities,
                call_id=self.call_id,
                provenance=ended.provenance,
                at=ended.started_at,
            )
        else:
            usage = ()
        currency = admission.prices.currency
        return Attempt(
            id=f"{self.call_id}#{ended.number}",
            call_id=self.call_id,
            account=admission.principal.account,
            number=ended.number,
            provider=ended.provider,
            model=admission.model,
            credential=ended.credential,
            started_at=ended.started_at,
            lasted=ended.lasted,
            outcome=ended.outcome,
            billed=ended.billed,
            settlement=settlement,
            provenance=ended.provenance,
            quantities=ended.quantities,
            cost=total_cost(usage, currency=currency) if usage else Money.zero(currency),
            price_id=admission.prices.id,
            error=ended.error,
        )


def billed_after(error: TollkeeperError | None, *, begun: bool) -> Billed:
    """Say whether the provider bills an attempt that ended in *error* and reported no usage.

    None stands for an attempt that we left. *begun* says that a part of the answer had come.
    """
    if error is None or begun:
        return Billed.UNKNOWN
    if isinstance(error, CorruptResponse):
        # An answer was made, unless its status says otherwise.
        return Billed.NO if (error.status or 200) >= 300 else Billed.UNKNOWN
    if isinstance(error, PortError) and error.ambiguous:
        return Billed.UNKNOWN
    return Billed.NO
