"""What a random run is drawn from: fates of requests, calls, and the settings of a facade."""

from datetime import timedelta
from functools import partial
from typing import Any

from attrs import frozen
from hypothesis import strategies as st

from tests.application.scripted_servers import Fate, Kind
from tollkeeper import (
    TokenUsage,
)
from tollkeeper.domain.errors import (
    ContentFiltered,
    ContextWindowExceeded,
    CorruptResponse,
    CredentialsRefused,
    NotFound,
    PoolExhausted,
    PortError,
    Rejected,
    Throttled,
    Timeout,
    Unavailable,
    Unsupported,
)

FIRST, CHAIN, LARGER, UNFILTERED = "a/one", ("b/two", "c/three", "a/four"), "c/large", "b/free"
MODELS = (FIRST, *CHAIN, LARGER, UNFILTERED)
CATALOGUE = f"""
[[models]]
id = "{FIRST}"
larger = "{LARGER}"
unfiltered = "{UNFILTERED}"
[[models]]
id = "{LARGER}"
[[models]]
id = "{UNFILTERED}"
"""
GRANT = 10**12
SECONDS = st.sampled_from([0.0, 0.0, 0.1, 0.5, 1.0, 3.0, 7.5, 20.0])
# A report of nothing at all counts as none, so each has some input.
USAGES = st.builds(TokenUsage, input=st.integers(1, 900), output=st.integers(0, 200))
STATUSES: dict[type[PortError], tuple[int | None, ...]] = {
    Unavailable: (None, 500, 503, 529, 404),
    Timeout: (None, 408, 504),
    Throttled: (429, 498, 400),
    PoolExhausted: (None,),
    Rejected: (400, 422),
    ContentFiltered: (400,),
    ContextWindowExceeded: (400, 413),
    CredentialsRefused: (401, 403),
    CorruptResponse: (None, 200, 502),
}


def port_error(kind: type[PortError], **about: Any) -> PortError:
    return kind("as the script says", port="chat_model", adapter="scripted", **about)


def _errors() -> st.SearchStrategy[Any]:
    retry_after = st.none() | st.sampled_from([1, 2, 30, 4000]).map(
        lambda seconds: timedelta(seconds=seconds)
    )
    ports = [
        st.builds(
            partial,
            st.just(port_error),
            st.just(kind),
            status=st.sampled_from(statuses),
            ambiguous=st.booleans(),
            retry_after=retry_after,
        )
        for kind, statuses in STATUSES.items()
    ]
    others = st.sampled_from(
        [
            partial(NotFound, "no such model", code="model_not_found"),
            partial(Unsupported, "it cannot"),
            partial(RuntimeError, "a fault of the adapter"),
        ]
    )
    # What is retried comes first and twice, so that runs have some length.
    return st.one_of(*ports[:3], *ports, others)


ERRORS = _errors()
KINDS = st.sampled_from([Kind.FAIL, Kind.FAIL, Kind.FAIL, Kind.ANSWER, Kind.ANSWER, Kind.STALL])
FEW = st.sampled_from([0, 0, 0, 1, 3])
SOME = st.integers(1, 4)
GAPS = st.sampled_from([0.0, 0.0, 0.5, 6.0])
PERHAPS = st.none() | USAGES
YES_OR_NO = st.booleans()


@st.composite
def fates(draw: st.DrawFn) -> Fate:
    kind = draw(KINDS)
    pieces = draw(SOME if kind is Kind.ANSWER else FEW)
    fate = Fate(
        kind=kind,
        delay=draw(SECONDS),
        pieces=pieces,
        gap=draw(GAPS),
        usage=draw(USAGES),
        reported=draw(YES_OR_NO),
    )
    if kind is not Kind.FAIL:
        return fate
    error = draw(ERRORS)
    made = error()
    may_cost = isinstance(made, RuntimeError) or getattr(made, "ambiguous", False)
    if isinstance(made, CorruptResponse):
        may_cost = (made.status or 200) < 300
    usage = draw(PERHAPS) if may_cost or pieces else None
    for_words = not may_cost
    return Fate(Kind.FAIL, fate.delay, pieces, fate.gap, usage, fate.reported, for_words, error)


FATES = fates()


@frozen
class Asking:
    """One call: when it begins, how it is made, and when its caller goes away."""

    starts: float
    streamed: bool
    timeout: float
    hedge_after: float | None
    fallbacks: tuple[str, ...] | None
    leaves_after: int | None = None
    """The reader goes after so many pieces."""
    dawdles: float = 0.0
    """How long it takes over each piece."""
    cancelled_after: float | None = None


CALLS = st.builds(
    Asking,
    starts=st.sampled_from([0.0, 0.0, 0.0, 1.0, 9.0, 60.0]),
    streamed=st.booleans(),
    timeout=st.sampled_from([120.0, 120.0, 60.0, 10.0, 1.0]),
    hedge_after=st.sampled_from([None, None, None, 0.0, 0.5, 5.0]),
    fallbacks=st.none()
    | st.permutations(CHAIN).flatmap(
        lambda chain: st.integers(0, 3).map(lambda most: tuple(chain[:most]))
    ),
    leaves_after=st.sampled_from([None, None, None, 1, 2, 3]),
    dawdles=st.sampled_from([0.0, 0.0, 0.5, 30.0]),
    cancelled_after=st.sampled_from([None, None, None, None, None, 0.0, 0.5, 3.0, 20.0]),
)


@frozen
class Plan:
    """The settings of a run, what the servers do, and what is asked of them."""

    fates: dict[str, list[Fate]]
    calls: list[Asking]
    tries: int
    pause: float
    attempt_timeout: float | None
    breaker_failures: int
    breaker_pause: float
    limit: int | None
    keys: int
    refused_keys: frozenset[str]
    overflow: bool
    filtered: bool


PLANS = st.builds(
    Plan,
    fates=st.fixed_dictionaries(
        {model: st.lists(FATES, min_size=model == FIRST, max_size=4) for model in MODELS}
    ),
    calls=st.lists(CALLS, min_size=1, max_size=4),
    tries=st.integers(1, 4),
    pause=st.sampled_from([0.0, 0.25, 2.0]),
    attempt_timeout=st.none() | st.sampled_from([2.0, 8.0]),
    breaker_failures=st.integers(1, 5),
    breaker_pause=st.sampled_from([5.0, 20.0]),
    limit=st.none() | st.integers(1, 2),
    keys=st.integers(0, 4),
    refused_keys=st.frozensets(st.integers(1, 4).map(lambda number: f"key-{number}"), max_size=4),
    overflow=st.booleans(),
    filtered=st.booleans(),
)
