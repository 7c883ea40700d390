"""The circuit breaker: its states, its single probe, and that it never shuts for good."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tollkeeper.application.breakers import Breakers
from tollkeeper.domain.circuit_breaker import BreakerPolicy, CircuitBreaker, CircuitState
from tollkeeper.domain.errors import Rejected, Throttled, Unavailable

POLICY = BreakerPolicy(failures=3, pause=10.0)


def opened(at: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(POLICY)
    for _ in range(POLICY.failures):
        breaker.failed(at)
    return breaker


def test_failures_in_a_row_open_it_and_a_success_between_does_not() -> None:
    breaker = CircuitBreaker(POLICY)
    for _ in range(5):
        breaker.failed(0)
        breaker.failed(0)
        breaker.succeeded()
    assert breaker.state(0) is CircuitState.CLOSED
    assert opened().state(0) is CircuitState.OPEN


def test_while_it_is_open_it_says_how_long_to_wait() -> None:
    breaker = opened(at=100)
    assert [breaker.wait(now) for now in (100, 104, 109)] == [10, 6, 1]
    assert breaker.wait(110) == 0
    assert breaker.state(110) is CircuitState.HALF_OPEN


def test_asking_how_long_to_wait_changes_nothing() -> None:
    breaker = opened()
    assert [breaker.wait(10) for _ in range(3)] == [0, 0, 0]


def test_one_probe_passes_and_the_others_wait_for_it() -> None:
    breaker = opened()
    assert breaker.enter(10)
    assert breaker.wait(12) == 8
    breaker.succeeded()
    assert breaker.state(12) is CircuitState.CLOSED
    assert not breaker.enter(12)


def test_a_probe_that_fails_opens_it_again() -> None:
    breaker = opened()
    breaker.enter(10)
    breaker.failed(11)
    assert breaker.wait(11) == 10


def test_a_probe_that_tells_nothing_makes_room_for_another() -> None:
    breaker = opened()
    breaker.enter(10)
    breaker.undecided()
    assert breaker.wait(10) == 0


def test_a_probe_that_never_reports_is_forgotten() -> None:
    breaker = opened()
    breaker.enter(10)
    assert breaker.wait(20) == 0


class AnyOrder(RuleBasedStateMachine):
    """Whatever is reported, and when: it is never shut for longer than a pause after the last."""

    @initialize()
    def begin(self) -> None:
        self.breaker, self.now, self.last = CircuitBreaker(POLICY), 0.0, 0.0

    # Whole seconds, which floats add up without rounding.
    @rule(seconds=st.integers(0, 25))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def someone_enters(self) -> None:
        if self.breaker.wait(self.now) == 0:
            probing = self.breaker.enter(self.now)
            assert probing is (self.breaker.state(self.now) is CircuitState.HALF_OPEN)
            if probing:
                assert self.breaker.wait(self.now) > 0
            self.last = self.now

    @rule(how=st.sampled_from(["failed", "succeeded", "undecided"]))
    def someone_reports(self, how: str) -> None:
        if how == "failed":
            self.breaker.failed(self.now)
        else:
            getattr(self.breaker, how)()
        self.last = self.now
        if how == "succeeded":
            assert self.breaker.state(self.now) is CircuitState.CLOSED

    @invariant()
    def it_opens_in_time(self) -> None:
        if hasattr(self, "breaker"):
            assert 0 <= self.breaker.wait(self.now) <= POLICY.pause
            assert self.breaker.wait(self.last + POLICY.pause) == 0


TestAnyOrder = AnyOrder.TestCase


@given(st.lists(st.sampled_from([Rejected, Throttled]), max_size=20))
def test_what_is_not_the_providers_trouble_never_opens_it(kinds: list[type[Rejected]]) -> None:
    breakers = Breakers(BreakerPolicy(failures=1, pause=10))
    for kind in kinds:
        breakers.failed("a/m", kind("no", port="p", adapter="a"), now=0)
    breakers.check("a/m", now=0, port="p")
    assert breakers.states(now=0) == {}


def test_only_the_probe_itself_gives_its_place_back() -> None:
    breakers = Breakers(BreakerPolicy(failures=1, pause=10))
    down = Unavailable("down", port="p", adapter="a")
    refused = Rejected("no", port="p", adapter="a")
    breakers.failed("a/m", down, now=0)
    with pytest.raises(Unavailable) as caught:
        breakers.enter("a/m", now=5, port="p")
    assert caught.value.code == "circuit_open"
    assert breakers.enter("a/m", now=10, port="p")
    # One that was under way when the breaker opened.
    breakers.failed("a/m", refused, now=11)
    with pytest.raises(Unavailable):
        breakers.check("a/m", now=11, port="p")
    breakers.failed("a/m", refused, now=11, probing=True)
    assert breakers.enter("a/m", now=11, port="p")
    assert not breakers.enter("a/other", now=11, port="p")
