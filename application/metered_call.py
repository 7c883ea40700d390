"""A paid call that is under way: its hold is placed, and it is captured or released once."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from attrs import define, field

from tollkeeper.application.admission import Admission
from tollkeeper.application.attempt_records import AttemptRecords
from tollkeeper.application.bounded import bounded
from tollkeeper.application.hold_placing import LONGEST_STEP, PAUSES, hung
from tollkeeper.application.shielded import shielded
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.completions import Receipt
from tollkeeper.domain.errors import Conflict, PortError
from tollkeeper.domain.ledger import Entry, Hold
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.usage import UsageEvent, total_charge

if TYPE_CHECKING:
    from tollkeeper.application.metered_calls import MeteredCalls


@define(eq=False)
class MeteredCall:
    """A call whose hold is placed; it must be captured or released once.

    As an ``async with`` block it releases the hold if the block left it open. *replayed* is set
    when the caller's idempotency key stands for a call that was charged already: then there is
    nothing to do but to give the first answer again.
    """

    _calls: "MeteredCalls"
    admission: Admission
    hold: Hold
    replayed: bool = False
    deadline: asyncio.Timeout | None = None
    """What ends the work when the facade closes before it is done."""
    served_by: Admission | None = None
    """The admission of the model that answered, where it is not the one that was asked for."""
    attempt: int | None = None
    """The number of the attempt that is charged."""
    attempts: tuple[Attempt, ...] = ()
    """The requests that were made, once the call is captured or released."""
    _entry_id: str = ""
    _records: AttemptRecords | None = field(default=None)
    _uncharged: PortError | None = None
    """Why the ledger did not take the charge."""

    @property
    def records(self) -> AttemptRecords:
        """Where the requests of this call are noted."""
        if self._records is None:
            self._records = AttemptRecords(self.hold.id)
        return self._records

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.release()
        if self._uncharged is not None and error is self._uncharged:
            # The answer is not given, so the account need not pay; what it cost is not lost.
            self._calls.write_off_later(self)
            if not error.ambiguous:
                self.attempts = self.records.settled()
        if isinstance(error, PortError):
            error.attempts = self.attempts

    @property
    def is_open(self) -> bool:
        """Whether the hold still has to be captured or released by this call."""
        return self in self._calls.open

    async def capture(self, quantities: Mapping[Meter, int], provenance: Provenance) -> Receipt:
        """Charge what was measured. Run it :func:`shielded`, so that cancellation waits for it.

        Raises:
            PortError: the ledger could not be reached for some seconds; ``ambiguous`` if the
                charge may have been made. Otherwise the hold stays until the clock frees it.
        """
        asked = self.served_by or self.admission
        now = self._calls.clock.now()
        self._entry_id = self._entry_id or self._calls.identifiers.new("entry")
        try:
            usage = asked.rate(
                quantities,
                call_id=self.hold.id,
                provenance=provenance,
                at=now,
                attempt=self.attempt or 1,
            )
            if self._records is not None:
                self.attempts = self._records.settled(charged=self.attempt, usage=usage)
            entry = await self._capture_surely(usage)
        except asyncio.CancelledError:
            raise  # it is begun again
        except BaseException as error:
            self._uncharged = error if isinstance(error, PortError) else None
            self._calls.open.discard(self)
            raise
        self._calls.open.discard(self)
        return Receipt(
            call_id=self.hold.id,
            account=self.hold.account,
            model=asked.model,
            held=self.hold.amount,
            charged=-entry.amount,
            quantities={event.meter: event.quantity for event in usage},
            provenance=provenance,
            price_id=asked.prices.id,
            entry_id=entry.id,
            balance_after=entry.balance_after,
        )

    async def _capture_surely(self, usage: tuple[UsageEvent, ...]) -> Entry:
        """Capture, and again if that failed: it is idempotent, and giving up loses money."""
        charged = total_charge(usage, currency=self.admission.prices.currency)
        doubtful = False
        for pause in (*PAUSES, None):
            try:
                capture = self._calls.ledger.capture(
                    hold_id=self.hold.id,
                    amount=charged,
                    usage=usage,
                    entry_id=self._entry_id,
                    at=self._calls.clock.now(),
                    attempts=self.attempts,
                )
                return await bounded(capture, within=LONGEST_STEP)
            except TimeoutError as error:
                doubtful = True
                if pause is None:
                    raise hung("charging the call") from error
            except PortError as error:
                # An earlier try may have been done, whatever becomes of the last.
                error.ambiguous = doubtful = doubtful or error.ambiguous
                if pause is None or not error.retryable:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def owe(self, quantities: Mapping[Meter, int], provenance: Provenance) -> None:
        """Charge what was delivered as soon as the ledger is back, at the latest at closing."""
        self._calls.collect_later(self, quantities, provenance)

    async def write_off(self) -> None:
        """Give the hold back, and log its requests as written off, unless it is charged after all.

        Raises:
            PortError: the ledger could not be reached.
        """
        step = self._calls.ledger.release(
            hold_id=self.hold.id, at=self._calls.clock.now(), attempts=self.records.settled()
        )
        try:
            with suppress(Conflict):
                await bounded(step, within=LONGEST_STEP)
        except TimeoutError as error:
            raise hung("giving back a hold") from error

    async def release(self) -> None:
        """Give the hold back if it is still open; does nothing after a capture.

        A ledger that fails hides no other error: the clock frees the hold.
        """
        if not self.is_open:
            return
        try:
            if self._records is not None:
                self.attempts = self._records.settled()
            await shielded(lambda: self._calls.holds.give_back(self.hold.id, self.attempts))
        finally:
            self._calls.open.discard(self)
