"""Random runs of a facade over scripted servers in virtual time."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import define, field

from tests.application.resilience_plans import (
    CATALOGUE,
    CHAIN,
    FIRST,
    GRANT,
    Asking,
    Plan,
)
from tests.application.scripted_servers import PRICES, ScriptedModel, Served, Servers
from tests.application.virtual_time import LoopClock
from tollkeeper import (
    Completion,
    Money,
    Principal,
    Secret,
    Settings,
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
    fates = {model: list(coming) for model, coming in plan.fates.items()}
    servers = Servers(fates, plan.refused_keys)
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
