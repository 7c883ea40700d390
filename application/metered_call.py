"""The pattern that every paid call follows.

scope and plan allow it → rate limit → place hold (the worst case) → the work → capture what it
cost in fact, with its usage events, in one step → the rest is given back. What fails before
anything was delivered is released; what breaks later is captured as far as it came; a hold whose
process died is given back by the clock.
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from attrs import define, field, frozen

from tollkeeper.application.admission import Admission
from tollkeeper.application.policy import Policy
from tollkeeper.application.shielded import shielded
from tollkeeper.domain.checks import checked_idempotency_key
from tollkeeper.domain.completions import Receipt
from tollkeeper.domain.errors import Conflict, PortError, TollkeeperError
from tollkeeper.domain.ledger import Hold, HoldState
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import total_charge
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.ledger import Ledger

_CAPTURE_PAUSES = (0.05, 0.25, 1.0)
"""Seconds between tries of a capture: it is idempotent, and giving up loses money."""


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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        try:
            await self.release()
        except PortError:
            if error is None:
                raise
            # What failed first is what the caller must see; the clock frees the hold.

    @property
    def is_open(self) -> bool:
        """Whether the hold still has to be captured or released by this call."""
        return self in self._calls.open

    async def capture(self, quantities: Mapping[Meter, int], provenance: Provenance) -> Receipt:
        """Charge what was measured. Run it :func:`shielded`, so that cancellation waits for it.

        Raises:
            PortError: the ledger could not be reached for some seconds; the hold stays.
        """
        calls, asked = self._calls, self.admission
        now = calls.clock.now()
        usage = asked.rate(quantities, call_id=self.hold.id, provenance=provenance, at=now)
        charged = total_charge(usage, currency=asked.prices.currency)
        entry_id = calls.identifiers.new("entry")
        for pause in (*_CAPTURE_PAUSES, None):
            try:
                entry = await calls.ledger.capture(
                    hold_id=self.hold.id, amount=charged, usage=usage, entry_id=entry_id, at=now
                )
                break
            except PortError as error:
                if pause is None or not error.retryable:
                    calls.open.discard(self)
                    raise
            await asyncio.sleep(pause)
        calls.open.discard(self)
        return Receipt(
            call_id=self.hold.id,
            account=self.hold.account,
            model=asked.model,
            held=self.hold.amount,
            charged=charged,
            quantities={event.meter: event.quantity for event in usage},
            provenance=provenance,
            price_id=asked.prices.id,
            entry_id=entry.id,
            balance_after=entry.balance_after,
        )

    async def release(self) -> None:
        """Give the hold back if it is still open; does nothing after a capture."""
        if not self.is_open:
            return
        self._calls.open.discard(self)
        await shielded(self._calls.ledger.release(hold_id=self.hold.id, at=self._calls.clock.now()))


@frozen
class MeteredCalls:
    """Opens metered calls, and knows those that are open."""

    ledger: Ledger
    clock: Clock
    identifiers: Identifiers
    policy: Policy
    open: set[MeteredCall] = field(factory=set, init=False, repr=False, eq=False)

    async def begin(
        self,
        admission: Admission,
        *,
        bounds: Mapping[Meter, int],
        idempotency_key: str | None = None,
        fingerprint: str = "",
    ) -> MeteredCall:
        """Place the hold for the worst case that *bounds* allow.

        With an *idempotency_key* of the caller, the same *fingerprint* of the same call is
        charged once at most: a try that failed may be made again, one under way is a conflict,
        one that was charged comes back ``replayed``.

        Raises:
            InsufficientCredit: the account cannot pay the worst case.
            Conflict: the same call is under way (code ``call_in_progress``).
            IdempotencyConflict: the key was used for another call.
        """
        prices = admission.prices
        amount = prices.worst_case(bounds, markup_bps=admission.plan.markup_bps)
        key = None if idempotency_key is None else checked_idempotency_key(idempotency_key)
        purpose = " ".join(filter(None, (admission.operation, admission.model, fingerprint)))
        hold_id = self.identifiers.new("call")
        attempt = 1
        while True:
            tried_as = hold_id if key is None else f"{key}#{attempt}"
            hold = await self._place(
                hold_id, admission.principal.account, amount, purpose, tried_as
            )
            if hold.id == hold_id:
                call = MeteredCall(self, admission, hold)
                self.open.add(call)
                return call
            if hold.state is HoldState.CAPTURED:
                return MeteredCall(self, admission, hold, replayed=True)
            if hold.state is HoldState.OPEN:
                raise Conflict(
                    "a call with this idempotency key is under way; ask again when it is over",
                    code="call_in_progress",
                )
            # That try was given back, so nothing was charged: this is the next one.
            attempt += 1

    async def charge(
        self,
        admission: Admission,
        quantities: Mapping[Meter, int],
        *,
        idempotency_key: str,
        provenance: Provenance,
    ) -> Receipt:
        """Charge work that is done: a hold of just that much, captured at once.

        It takes up where an earlier try with the same key stopped: both steps are idempotent.
        """
        usage = admission.rate(quantities, call_id="", provenance=provenance, at=self.clock.now())
        amount = total_charge(usage, currency=admission.prices.currency)
        purpose = f"{admission.operation} {admission.model} measured {sorted(quantities.items())}"
        hold_id = self.identifiers.new("call")
        account = admission.principal.account
        hold = await self._place(hold_id, account, amount, purpose, f"{idempotency_key}#charge")
        call = MeteredCall(self, admission, hold)
        self.open.add(call)
        return await shielded(call.capture(quantities, provenance))

    async def _place(
        self, hold_id: str, account: str, amount: Money, purpose: str, key: str
    ) -> Hold:
        """Place a hold; if the caller is cancelled meanwhile, the hold is given back."""
        now = self.clock.now()
        placing = asyncio.ensure_future(
            self.ledger.place_hold(
                hold_id=hold_id,
                account=account,
                amount=amount,
                purpose=purpose,
                idempotency_key=key,
                expires_at=now + self.policy.hold_ttl,
                at=now,
            )
        )
        try:
            return await asyncio.shield(placing)
        except asyncio.CancelledError:
            await shielded(self._undo(placing, hold_id))
            raise

    async def _undo(self, placing: "asyncio.Future[Hold]", hold_id: str) -> None:
        try:
            hold = await placing
        except TollkeeperError:
            return  # nothing was placed, and the caller is gone
        if hold.id == hold_id and hold.state is HoldState.OPEN:
            await self.ledger.release(hold_id=hold_id, at=self.clock.now())

    async def drain(self) -> None:
        """Wait for the open calls to end, ``close_timeout`` at most; the clock frees the rest."""
        deadline = self.clock.monotonic() + self.policy.close_timeout.total_seconds()
        while self.open and self.clock.monotonic() < deadline:  # noqa: ASYNC110 - once, at closing
            await asyncio.sleep(0.01)
