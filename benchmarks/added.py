"""What the whole metered call adds to the adapter's own: admission, hold, capture, receipt.

The store is in memory, so that no disk is measured, and the adapter asks over HTTP, as it does in
a host. Both have the same adapter, with the same settings.
"""

from contextlib import AsyncExitStack
from datetime import timedelta

from benchmarks.asking import CHUNKS, PROMPT, SYSTEM, see
from benchmarks.asking_us import OurOpenai
from benchmarks.contender import Arena, Benchmark, Case, Entry
from benchmarks.rendered import OPENAI_MODEL
from tollkeeper import Money, Principal, Settings, open_tollkeeper
from tollkeeper.domain.messages import system, user

_ACCOUNT = "acme"
_CREDIT = Money.of("1000000", "USD")
_MODEL = f"openai/{OPENAI_MODEL}"


class AdapterAlone(OurOpenai):
    """The adapter, asked as the metered call asks it."""

    name = "adapter"


class Metered(OurOpenai):
    """``tk.complete`` and ``tk.stream_completion``, on that adapter."""

    name = "metered"

    def __init__(self) -> None:
        super().__init__()
        self._charged = 0

    async def open(self, arena: Arena) -> None:
        await super().open(arena)
        self._stack = AsyncExitStack()
        settings = Settings(
            environment="test",
            store="memory://",
            transcribers={},
            call_timeout=timedelta(minutes=5),
        )
        self._tk = await self._stack.enter_async_context(
            open_tollkeeper(settings, chat_models={"openai": self.adapter})
        )
        await self._tk.grant_credit(account=_ACCOUNT, amount=_CREDIT, idempotency_key="welcome")
        self._principal = Principal(account=_ACCOUNT, scopes={"chat:complete"}, key_id="key_1")

    async def close(self) -> None:
        await self._stack.aclose()
        await super().close()

    async def whole(self, count: int) -> int:
        answer = await self._tk.complete(
            self._principal,
            model=_MODEL,
            messages=[system(SYSTEM), user(PROMPT)],
            max_tokens=count,
        )
        assert answer.usage is not None
        assert answer.receipt is not None
        self._charged += answer.receipt.charged.nanos
        return see(answer.text, (answer.usage.input, answer.usage.output), count)

    async def stream(self, count: int) -> int:
        text, tokens = [], (0, 0)
        stream = self._tk.stream_completion(
            self._principal,
            model=_MODEL,
            messages=[system(SYSTEM), user(PROMPT)],
            max_tokens=count,
        )
        async with stream:
            async for delta in stream:
                text.append(delta.text)
                if delta.usage is not None:
                    tokens = (delta.usage.input, delta.usage.output)
        receipt = (await stream.completion()).receipt
        assert receipt is not None
        self._charged += receipt.charged.nanos
        return see("".join(text), tokens, count)

    async def check(self) -> None:
        """Assert that balance, usage and receipts say the same, and that nothing is held."""
        await super().check()
        report = await self._tk.report_usage(account=_ACCOUNT)
        [balance] = report.balances
        assert balance.posted.nanos == _CREDIT.nanos - self._charged
        assert balance.held.nanos == 0
        assert sum(total.charge.nanos for total in report.totals) == self._charged
        assert max(total.events for total in report.totals) == self.calls


ADDED = Benchmark(
    name="added",
    title="A whole metered completion in memory, beside the adapter alone, over HTTP",
    operation="call",
    entries=(
        Entry("metered", "tollkeeper, metered", Metered, side="ours", package="aiohttp"),
        Entry("adapter", "the adapter alone", AdapterAlone, side="floor", package="aiohttp"),
    ),
    cases=tuple(
        Case(
            f"{'whole answer' if mode == 'whole' else '22-chunk stream'}, {callers} at once",
            callers,
            mode,
            parts=0 if mode == "whole" else CHUNKS[mode],
            run_in="whole",
        )
        for mode in ("whole", "stream-22")
        for callers in (1, 64)
    ),
    baseline="adapter",
    needs_upstream=True,
    differs=True,
)
