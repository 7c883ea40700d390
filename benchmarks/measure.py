"""One round of a contender, and what several rounds come to."""

import asyncio
import gc
import statistics
import time
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from attrs import frozen

from benchmarks.contender import Contender

FEWEST_FOR_P99 = 100


@frozen
class Round:
    """What one round took: *cpu* is the processor time of the whole process, in seconds.

    *latencies* are seconds per operation, one for each call.
    """

    operations: int
    seconds: float
    cpu: float
    latencies: tuple[float, ...]

    @property
    def cpu_per_operation(self) -> float:
        """Seconds of processor time for one operation."""
        return self.cpu / self.operations

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds


@runtime_checkable
class RunsRounds(Protocol):
    """A contender that lets its callers call by a way of its own."""

    async def run_round(self, *, callers: int, mode: str, seconds: float) -> Round:
        """Do what :func:`run_round` does."""


async def run_round(
    contender: Contender, *, callers: int, mode: str, seconds: float, run_in: str = ""
) -> Round:
    """Let *callers* call again and again for *seconds*; each calls once at least.

    Before that each does *run_in* once, if it is given.
    """
    if isinstance(contender, RunsRounds):
        return await contender.run_round(callers=callers, mode=mode, seconds=seconds)
    latencies: list[float] = []
    operations = 0

    async def caller() -> None:
        nonlocal operations
        now = time.perf_counter()
        while True:
            count = await contender.call(mode)
            after = time.perf_counter()
            latencies.append((after - now) / count)
            operations += count
            now = after
            if now >= end:
                return

    if run_in:
        await asyncio.gather(*(contender.call(run_in) for _ in range(callers)))
    gc.collect()
    cpu = time.process_time()
    start = time.perf_counter()
    end = start + seconds
    await asyncio.gather(*(caller() for _ in range(callers)))
    took = time.perf_counter() - start
    return Round(operations, took, time.process_time() - cpu, tuple(latencies))


@frozen
class Summary:
    """Medians over rounds; the percentiles are over all calls of all rounds.

    *p99* is None where too few calls were made to know it. The ratios are medians of each
    round's ratio to the baseline's same round, so that what slows the whole machine for a while
    slows both sides; *cpu_more* is the median of each round's difference to it. A contender that
    sat out some rounds is compared in those that it ran.
    """

    cpu: float
    rate: float
    p50: float
    p99: float | None
    samples: int
    cpu_ratio: float
    rate_ratio: float
    cpu_more: float


def summarise(rounds: Sequence[Round], baseline: Sequence[Round]) -> Summary:
    """Bring the *rounds* of one contender together, beside those of the baseline."""
    latencies = sorted(latency for each in rounds for latency in each.latencies)
    pairs = list(zip(rounds, baseline, strict=False))
    enough = len(latencies) >= FEWEST_FOR_P99
    return Summary(
        cpu=statistics.median(each.cpu_per_operation for each in rounds),
        rate=statistics.median(each.rate for each in rounds),
        p50=statistics.median(latencies),
        p99=latencies[len(latencies) * 99 // 100] if enough else None,
        samples=len(latencies),
        cpu_ratio=statistics.median(
            each.cpu_per_operation / base.cpu_per_operation for each, base in pairs
        ),
        rate_ratio=statistics.median(each.rate / base.rate for each, base in pairs),
        cpu_more=statistics.median(
            each.cpu_per_operation - base.cpu_per_operation for each, base in pairs
        ),
    )
