"""The pattern that every paid call follows.

scope and plan allow it → rate limit → place hold (the worst case) → the work → capture what it
cost in fact, with its usage events, in one step → the rest is given back. What fails before
anything was delivered is released; what breaks later is captured as far as it came; a hold whose
process died is given back by the clock.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress

from attrs import field, frozen

from tollkeeper.application.admission import Admission
from tollkeeper.application.hold_placing import HoldPlacing
from tollkeeper.application.metered_call import MeteredCall
from tollkeeper.application.policy import Policy
from tollkeeper.application.shielded import shielded
from tollkeeper.domain.checks import checked_idempotency_key
from tollkeeper.domain.completions import Receipt
from tollkeeper.domain.errors import Conflict, InvalidRequest, PortError
from tollkeeper.domain.ledger import HoldState
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import total_charge
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.ledger import Ledger

_FIRST_COLLECTION = 1.0
_LONGEST_PAUSE = 30.0


@frozen
class MeteredCalls:
    """Opens metered calls, and knows those that are open."""

    ledger: Ledger
    clock: Clock
    identifiers: Identifiers
    policy: Policy
    open: set[MeteredCall] = field(factory=set, init=False, repr=False, eq=False)
    owed: dict[MeteredCall, tuple[Mapping[Meter, int], Provenance] | None] = field(
        factory=dict, init=False, repr=False, eq=False
    )
    """What was delivered and could not be charged yet; a crash loses it, nothing else does.

    None stands for what was not delivered either, and is to be written off.
    """
    collecting: list[asyncio.Future[None]] = field(factory=list, init=False, repr=False, eq=False)
    _closing: asyncio.Event = field(factory=asyncio.Event, init=False, repr=False, eq=False)

    @property
    def holds(self) -> HoldPlacing:
        """What places and gives back holds."""
        return HoldPlacing(self.ledger, self.clock, self.policy.hold_ttl)

    def refuse_when_closing(self) -> None:
        """Check that the facade is open.

        Raises:
            Conflict: it is closing or closed (code ``facade_closed``).
        """
        if self._closing.is_set():
            raise Conflict("this facade is closed; open another one", code="facade_closed")

    async def begin(
        self,
        admission: Admission,
        *,
        bounds: Mapping[Meter, int],
        idempotency_key: str | None = None,
        fingerprint: str = "",
        others: Iterable[Admission] = (),
        most_cost: Money | None = None,
    ) -> MeteredCall:
        """Place the hold for the worst case that *bounds* allow.

        *others* are the admissions of the models that may answer instead: the dearest counts.
        *most_cost* bounds the hold, and so the charge.

        With an *idempotency_key* of the caller, the same *fingerprint* of the same call is
        charged once at most: a try that failed may be made again, one under way is a conflict,
        one that was charged comes back ``replayed``.

        Raises:
            InsufficientCredit: the account cannot pay the worst case.
            InvalidRequest: the worst case exceeds *most_cost* (code ``cost_over_limit``).
            Conflict: the same call is under way (code ``call_in_progress``), or the facade is
                closed.
            IdempotencyConflict: the key was used for another call.
        """
        self.refuse_when_closing()
        amount = admission.worst_case(bounds)
        for other in others:
            amount = max(amount, other.worst_case(bounds))
        if not isinstance(most_cost, Money | None):
            raise InvalidRequest("most_cost is Money")
        if most_cost is not None and amount > most_cost:
            raise InvalidRequest(
                f"the call may cost up to {amount}, and most_cost is {most_cost}",
                code="cost_over_limit",
            )
        key = None if idempotency_key is None else checked_idempotency_key(idempotency_key)
        purpose = " ".join(filter(None, (admission.operation, admission.model, fingerprint)))
        hold_id = self.identifiers.new("call")
        attempt = 1
        while True:
            hold = await self.holds.place_or_undo(
                hold_id=hold_id,
                account=admission.principal.account,
                amount=amount,
                purpose=purpose,
                key=hold_id if key is None else f"{key}#{attempt}",
            )
            if hold.id == hold_id:
                call = MeteredCall(self, admission, hold)
                self.open.add(call)
                if self._closing.is_set():
                    await call.release()
                    self.refuse_when_closing()
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

        It goes on to the end even if the caller is cancelled, and takes up where an earlier try
        with the same key stopped: both steps are idempotent.
        """
        self.refuse_when_closing()
        hold_id = self.identifiers.new("call")
        return await shielded(
            lambda: self._charge(hold_id, admission, quantities, idempotency_key, provenance)
        )

    async def _charge(
        self,
        hold_id: str,
        admission: Admission,
        quantities: Mapping[Meter, int],
        idempotency_key: str,
        provenance: Provenance,
    ) -> Receipt:
        usage = admission.rate(quantities, call_id="", provenance=provenance, at=self.clock.now())
        hold = await self.holds.place(
            hold_id=hold_id,
            account=admission.principal.account,
            amount=total_charge(usage, currency=admission.prices.currency),
            purpose=f"{admission.operation} {admission.model} {sorted(quantities.items())}",
            key=f"{idempotency_key}#charge",
        )
        return await MeteredCall(self, admission, hold).capture(quantities, provenance)

    def collect_later(
        self, call: MeteredCall, quantities: Mapping[Meter, int], provenance: Provenance
    ) -> None:
        """Charge *call* as soon as the ledger is back, at the latest at closing."""
        self.owed[call] = (quantities, provenance)
        self._collect_soon()

    def write_off_later(self, call: MeteredCall) -> None:
        """Write *call* off as soon as the ledger is back, at the latest at closing."""
        self.owed[call] = None
        self._collect_soon()

    def _collect_soon(self) -> None:
        if not self.collecting:
            self.collecting.append(asyncio.ensure_future(self.collect()))

    async def collect(self) -> None:
        """Charge, or write off, what is owed, again and again until nothing is."""
        pause = _FIRST_COLLECTION
        while self.owed:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            await self._collect_once()
        self.collecting.clear()

    async def _collect_once(self) -> None:
        for call, due in list(self.owed.items()):
            try:
                await (call.write_off() if due is None else call.capture(*due))
            except PortError as error:
                if error.retryable:
                    return
            self.owed.pop(call, None)

    def close(self) -> None:
        """Admit no more calls."""
        self._closing.set()

    async def drain(self) -> None:
        """Wait ``close_timeout`` for the open calls, then end them; charge what is owed."""
        self.close()
        await self._emptied(within=self.policy.close_timeout.total_seconds())
        for call in self.open:
            if call.deadline is not None:
                # A deadline that is over cannot be moved, and need not be.
                with suppress(RuntimeError):
                    call.deadline.reschedule(asyncio.get_running_loop().time())
        await self._emptied(within=2.0)
        for task in self.collecting:
            task.cancel()
        await self._collect_once()

    async def _emptied(self, *, within: float) -> None:
        deadline = self.clock.monotonic() + within
        while self.open and self.clock.monotonic() < deadline:  # noqa: ASYNC110 - once, at closing
            await asyncio.sleep(0.01)
