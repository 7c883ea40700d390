"""Random runs of a facade over scripted servers in virtual time."""

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from hypothesis import strategies as st

from tests.application.scripted_servers import PRICES, Fate, Kind, ScriptedModel, Served, Servers
from tests.application.virtual_time import LoopClock
from tollkeeper import (
    Completion,
    Money,
    Principal,
    Secret,
    Settings,
    TokenUsage,
    Tollkeeper,
    open_tollkeeper,
    user,
)
from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.application.key_pools import PoolKey
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.circuit_breaker import CircuitState
from tollkeeper.domain.completions import Receipt
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
USAGES = st.builds(TokenUsage, input=st.integers(0, 900), output=st.integers(0, 200))
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
    keys=st.integers(0, 3),
    overflow=st.booleans(),
    filtered=st.booleans(),
)


def settings_for(plan: Plan, folder: Path) -> Settings:
    """Write the price book and the catalogue, and make the settings of *plan*."""
    book, models = folder / "prices.toml", folder / "catalogue.toml"
    if not book.exists():
        lines = ['version = "script"']
        for provider, (read, written) in PRICES.items():
            lines += [
                f'[[prices]]\nmodel = "{provider}/*"\neffective_from = 2000-01-01',
                f'source = "a script"\ninput_tokens = "{Money(read, "USD").amount} per 1"',
                f'output_tokens = "{Money(written, "USD").amount} per 1"',
            ]
        book.write_text("\n".join(lines))
        models.write_text(CATALOGUE)
    pool = tuple(
        PoolKey(f"key-{number}", Secret(f"secret-{number}"), weight=number)
        for number in range(1, plan.keys + 1)
    )
    seconds = plan.attempt_timeout
    return Settings(
        environment="test",
        store="memory://",
        price_book=str(book),
        catalogue=str(models),
        chat_models=dict.fromkeys(PRICES, "offline://"),
        embedders={},
        transcribers={},
        tries=plan.tries,
        retry_pause=timedelta(seconds=plan.pause),
        attempt_timeout=None if seconds is None else timedelta(seconds=seconds),
        breaker_failures=plan.breaker_failures,
        breaker_pause=timedelta(seconds=plan.breaker_pause),
        concurrency={} if plan.limit is None else {"a": plan.limit},
        key_pools={"a": pool} if pool else {},
        fallbacks={FIRST: CHAIN[:2]},
        overflow_fallback=plan.overflow,
        filter_fallback=plan.filtered,
    )


@define(eq=False)
class Result:
    """What the caller of one call saw."""

    asking: Asking
    account: str
    began: float = 0.0
    ended: float = 0.0
    waited_until: float = 0.0
    """When the last wait, for a piece or the whole, was over."""
    overrun: float = 0.0
    """How much longer than the deadline such a wait was at most."""
    pieces: list[str] = field(factory=list)
    served_at_first_piece: int | None = None
    """How many requests there had been when the first piece came."""
    error: BaseException | None = None
    answer: Completion | None = None
    receipt: Receipt | None = None
    attempts: tuple[Attempt, ...] = ()
    posted: int = 0
    held: int = 0

    def waited(self, since: float, until: float) -> None:
        """Note a wait; one that begins after the deadline should end at once."""
        self.waited_until = until
        due = max(self.began + self.asking.timeout, since)
        self.overrun = max(self.overrun, until - due)

    @property
    def charged(self) -> int:
        """What the account paid in the end, in nano-dollars."""
        return GRANT - self.posted


@define(eq=False)
class Run:
    """One run of a plan: what came of it."""

    plan: Plan
    servers: Servers
    tk: Tollkeeper
    results: list[Result] = field(factory=list)
    open_when_asked: list[Served] = field(factory=list)
    """Requests that came although the breaker was open."""

    def check_breaker(self, served: Served) -> None:
        """Note a request that the breaker should have kept away."""
        now = asyncio.get_running_loop().time()
        if self.tk.complete.asking.breakers.states(now=now).get(served.model) is CircuitState.OPEN:
            self.open_when_asked.append(served)


async def played(plan: Plan, folder: Path) -> Run:
    """Play *plan* from its beginning to its end."""
    servers = Servers({model: list(coming) for model, coming in plan.fates.items()})
    doors = {provider: ScriptedModel(provider, servers) for provider in PRICES}
    async with open_tollkeeper(
        settings_for(plan, folder),
        clock=LoopClock(),
        store=MemoryStore(),
        identifiers=MemoryIdentifiers("run"),
        chat_models=doors,
    ) as tk:
        asking = tk.complete.asking
        asking.chance.seed(1)
        asking.key_pools.chance.seed(2)
        run = Run(plan, servers, tk)
        servers.on_arrival = run.check_breaker
        for number, call in enumerate(plan.calls):
            account = f"account-{number}"
            await tk.grant_credit(
                account=account, amount=Money(GRANT, "USD"), idempotency_key="grant"
            )
            run.results.append(Result(call, account))
        await asyncio.gather(*(_called(tk, run, result) for result in run.results))
        for result in run.results:
            result.attempts = await tk.list_attempts(account=result.account, limit=500)
            balance = (await tk.report_usage(account=result.account)).balances[0]
            result.posted, result.held = balance.posted.nanos, balance.held.nanos
    return run


async def _called(tk: Tollkeeper, run: Run, result: Result) -> None:
    loop, call = asyncio.get_running_loop(), result.asking
    await asyncio.sleep(call.starts)
    result.began = loop.time()
    task = asyncio.ensure_future(_asked(tk, run, result))
    if call.cancelled_after is not None:
        loop.call_later(call.cancelled_after, task.cancel)
    await asyncio.wait([task])
    result.ended = loop.time()
    result.error = asyncio.CancelledError() if task.cancelled() else task.exception()


async def _asked(tk: Tollkeeper, run: Run, result: Result) -> None:
    call, principal = result.asking, Principal(result.account, frozenset({"chat:complete"}))
    asked: dict[str, Any] = {
        "model": FIRST,
        "messages": [user(result.account)],
        "timeout": timedelta(seconds=call.timeout),
        "fallbacks": call.fallbacks,
    }
    if call.hedge_after is not None:
        asked["hedge_after"] = timedelta(seconds=call.hedge_after)
    if not call.streamed:
        try:
            result.answer = await tk.complete(principal, **asked)
        finally:
            result.waited(result.began, asyncio.get_running_loop().time())
        result.receipt, result.pieces = result.answer.receipt, [result.answer.text]
        return
    loop = asyncio.get_running_loop()
    stream = tk.stream_completion(principal, **asked)
    try:
        async with stream:
            while True:
                waits_from = loop.time()
                try:
                    delta = await anext(stream)
                except StopAsyncIteration:
                    result.answer = stream.partial
                    return
                finally:
                    result.waited(waits_from, loop.time())
                if delta.text:
                    if result.served_at_first_piece is None:
                        result.served_at_first_piece = len(run.servers.of(result.account))
                    result.pieces.append(delta.text)
                if call.leaves_after == len(result.pieces):
                    return
                await asyncio.sleep(call.dawdles)
    finally:
        result.receipt = stream.receipt
