"""One circuit breaker for each provider and model."""

from collections.abc import Mapping
from datetime import timedelta

from attrs import define, field

from tollkeeper.domain.circuit_breaker import BreakerPolicy, CircuitBreaker, CircuitState
from tollkeeper.domain.errors import TollkeeperError, Unavailable
from tollkeeper.domain.retries import shows_trouble

_MOST = 10_000


@define(eq=False)
class Breakers:
    """Keeps callers away from what does not work; moments are seconds of a monotonic clock."""

    policy: BreakerPolicy = field(factory=BreakerPolicy)
    _by_model: dict[str, CircuitBreaker] = field(factory=dict)

    def check(self, model: str, *, now: float, port: str) -> None:
        """Check that *model* may be asked.

        Raises:
            Unavailable: it failed too often just now (code ``circuit_open``); nothing was sent.
        """
        breaker = self._by_model.get(model)
        seconds = 0.0 if breaker is None else breaker.wait(now)
        if seconds > 0:
            raise Unavailable(
                f"{model} failed several times in a row and is left alone for {seconds:.0f} s",
                port=port,
                adapter=model.partition("/")[0],
                retry_after=timedelta(seconds=seconds),
                code="circuit_open",
            )

    def enter(self, model: str, *, now: float, port: str) -> bool:
        """Let a request to *model* pass; say whether it is the probe, whose outcome decides.

        Raises:
            Unavailable: as :meth:`check` says.
        """
        self.check(model, now=now, port=port)
        breaker = self._by_model.get(model)
        return breaker is not None and breaker.enter(now)

    def succeeded(self, model: str) -> None:
        """Note that *model* answered."""
        breaker = self._by_model.get(model)
        if breaker is not None:
            breaker.succeeded()

    def failed(
        self, model: str, error: TollkeeperError, *, now: float, probing: bool = False
    ) -> None:
        """Note how *model* failed; only the provider's own trouble counts."""
        if not shows_trouble(error):
            # The provider did answer, if only to refuse.
            if probing:
                self.undecided(model)
            return
        breaker = self._by_model.get(model)
        if breaker is None:
            if len(self._by_model) >= _MOST:  # names come from callers
                self._by_model.clear()
            breaker = self._by_model[model] = CircuitBreaker(self.policy)
        breaker.failed(now)

    def undecided(self, model: str) -> None:
        """Note that the probe of *model* ended without saying whether it works."""
        breaker = self._by_model.get(model)
        if breaker is not None:
            breaker.undecided()

    def states(self, *, now: float) -> Mapping[str, CircuitState]:
        """Return the models that failed lately, and where their breakers stand."""
        return {model: breaker.state(now) for model, breaker in sorted(self._by_model.items())}
