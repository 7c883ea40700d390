"""One request to a provider that is under way."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from attrs import define, field

from tollkeeper.application.admission import Admission
from tollkeeper.application.attempt_records import AttemptRecords, Ended, billed_after
from tollkeeper.application.breakers import Breakers
from tollkeeper.application.key_pools import SHORTEST_REST, KeyPool
from tollkeeper.application.places import Places
from tollkeeper.application.routes import Route
from tollkeeper.domain.attempts import Billed, Outcome
from tollkeeper.domain.completions import Completion
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import CredentialsRefused, PortError, Throttled, TollkeeperError
from tollkeeper.domain.meters import Meter, Provenance

A = TypeVar("A")
Quantities = dict[Meter, int]
Measure = Callable[[Completion], tuple[Quantities, Provenance]]
"""Says what an attempt used: as its provider reported, or estimated from what came."""

_REST_AFTER_REFUSAL = 60.0


@define(eq=False)
class LiveAttempt(Generic[A]):
    """The *number*-th request of a call; it ends once, and then its record is kept."""

    number: int
    route: Route[A]
    admission: Admission
    credential: Credential | None
    started_at: datetime
    _records: AttemptRecords
    _measure: Measure
    _breakers: Breakers
    _places: Places
    _pool: KeyPool | None
    _probing: bool = False
    """Whether a breaker waits for its outcome."""
    reported: Completion | None = None
    """What the provider reported before it said anything to the caller."""
    _began: float = field(factory=lambda: asyncio.get_running_loop().time())
    _over: bool = False

    @property
    def label(self) -> str:
        """What records call the credential."""
        if self.credential is not None:
            return self.credential.label
        return "default" if self.route.base_url else ""

    def answered(self, answer: Completion) -> None:
        """Note that *answer* is complete."""
        quantities, provenance = self._measure(answer)
        if self._end(Outcome.ANSWERED, Billed.YES, quantities, provenance):
            self._breakers.succeeded(self.route.model)

    def failed(self, error: TollkeeperError, partial: Completion | None = None) -> None:
        """Note that it ended in *error*, after *partial*, if anything came at all."""
        begun = partial is not None
        billed, quantities, provenance = self._left_over(error, partial, begun=begun)
        if not self._end(Outcome.FAILED, billed, quantities, provenance, error=error.code):
            return
        now = asyncio.get_running_loop().time()
        self._breakers.failed(self.route.model, error, now=now, probing=self._probing)
        if self._pool is not None and self.credential is not None:
            rest = _rest_after(error)
            if rest:
                self._pool.rest(self.credential.label, until=now + rest)

    def abandoned(self, partial: Completion | None = None) -> None:
        """Note that we left, after *partial*."""
        billed, quantities, provenance = self._left_over(None, partial, begun=partial is not None)
        if self._end(Outcome.ABANDONED, billed, quantities, provenance):
            self._undecided()

    def crashed(self, partial: Completion | None = None) -> None:
        """Note that the adapter itself failed: nobody knows what came of the request."""
        billed, quantities, provenance = self._left_over(None, partial, begun=True)
        if self._end(Outcome.FAILED, billed, quantities, provenance, error="adapter_fault"):
            self._undecided()

    def _undecided(self) -> None:
        if self._probing:
            self._breakers.undecided(self.route.model)

    def _left_over(
        self, error: TollkeeperError | None, partial: Completion | None, *, begun: bool
    ) -> tuple[Billed, Quantities, Provenance]:
        seen = partial or self.reported or Completion()
        if seen.usage is not None:
            return Billed.YES, *self._measure(seen)
        billed = billed_after(error, begun=begun)
        if billed is Billed.NO:
            return billed, {}, Provenance.MISSING
        return billed, *self._measure(seen)

    def _end(
        self,
        outcome: Outcome,
        billed: Billed,
        quantities: Quantities,
        provenance: Provenance,
        *,
        error: str = "",
    ) -> bool:
        if self._over:
            return False
        self._over = True
        self._places.give_back(self.route.provider)
        lasted = asyncio.get_running_loop().time() - self._began
        self._records.add(
            Ended(
                self.number,
                self.admission,
                self.route.provider,
                self.label,
                self.started_at,
                timedelta(seconds=lasted),
                outcome,
                billed,
                quantities,
                provenance,
                error,
            )
        )
        return True


def _rest_after(error: TollkeeperError) -> float:
    """Return the seconds for which the key should rest, 0 if it is not the key's matter."""
    if isinstance(error, Throttled):
        asked = error.retry_after.total_seconds() if error.retry_after is not None else 0.0
        return max(asked, SHORTEST_REST)
    if isinstance(error, CredentialsRefused) and isinstance(error, PortError):
        return _REST_AFTER_REFUSAL
    return 0.0
