"""A circuit breaker: after failures in a row nobody asks for a while, then one caller probes.

::

    closed ──failures in a row──▶ open ──pause is over──▶ half open ──success──▶ closed
       ▲                            ▲                         │
       └────────success─────────────┴───────failure──────────-┘

Pure: moments are seconds of the caller's monotonic clock.
"""

from enum import StrEnum

from attrs import define, field, frozen


class CircuitState(StrEnum):
    """Whether calls pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@frozen
class BreakerPolicy:
    """Open after *failures* in a row, for *pause* seconds."""

    failures: int = 5
    pause: float = 15.0


@define(eq=False)
class CircuitBreaker:
    """The state of one provider's model."""

    policy: BreakerPolicy = field(factory=BreakerPolicy)
    _failures: int = 0
    _opened_at: float | None = None
    _probed_at: float | None = field(default=None)

    def state(self, now: float) -> CircuitState:
        """Say where the breaker stands."""
        if self._opened_at is None:
            return CircuitState.CLOSED
        over = now >= self._opened_at + self.policy.pause
        return CircuitState.HALF_OPEN if over else CircuitState.OPEN

    def wait(self, now: float) -> float:
        """Return the seconds until a caller may pass; 0 if one may now."""
        if self._opened_at is None:
            return 0.0
        opens = self._opened_at + self.policy.pause
        if now < opens:
            return opens - now
        if self._probed_at is not None and now < self._probed_at + self.policy.pause:
            return self._probed_at + self.policy.pause - now
        return 0.0

    def enter(self, now: float) -> bool:
        """Let a caller pass who has nothing to wait for; say whether it is the probe.

        While a probe is out, others wait until it reports; one that never does is forgotten
        after another *pause*.
        """
        if self._opened_at is None:
            return False
        self._probed_at = now
        return True

    def succeeded(self) -> None:
        """Note that a call went well."""
        self._failures = 0
        self._opened_at = self._probed_at = None

    def failed(self, now: float) -> None:
        """Note that a call failed by the provider's fault."""
        self._failures += 1
        if self._opened_at is not None or self._failures >= self.policy.failures:
            self._opened_at, self._probed_at = now, None

    def undecided(self) -> None:
        """Note that the probe ended without telling anything; it makes room for another."""
        self._probed_at = None
