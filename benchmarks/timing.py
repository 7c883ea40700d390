"""Does the time of a refusal tell what is wrong with a key? ``python -m benchmarks.timing``.

After dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?"): two kinds of input
are measured in a random order, the slowest tenth of all is left out, because it tells of the
machine, and Welch's t says whether the means differ. Below 4.5 nothing was found. The statistic
is printed, and no test depends on it.
"""

import asyncio
import gc
import itertools
import math
import os
import random
import secrets
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Annotated

import typer
from attrs import frozen

from tollkeeper import Secret, Settings, Tollkeeper, open_tollkeeper
from tollkeeper.domain.errors import Unauthenticated
from tollkeeper.domain.key_tokens import Pepper, encode_kid, encode_token, matches
from tollkeeper.domain.rate_limits import RateLimit

THRESHOLD = 4.5
ALIKE = 0.1
_CROP = 0.9
_AT_ONCE = 2000
_PREFIX = "tk_test"

Work = Callable[[], object]


@frozen
class Verdict:
    """What two kinds of input, *one* and *other*, come to, of *samples* each."""

    one: str
    other: str
    t: float
    samples: int

    @property
    def passes(self) -> bool:
        """Whether no difference was found."""
        return abs(self.t) < THRESHOLD


def welch(one: Sequence[float], other: Sequence[float]) -> float:
    """Return Welch's t of two samples; with no spread at all, 0 or infinite."""
    difference = statistics.fmean(one) - statistics.fmean(other)
    spread = statistics.variance(one) / len(one) + statistics.variance(other) / len(other)
    if spread == 0:
        return math.copysign(math.inf, difference) if difference else 0.0
    return difference / math.sqrt(spread)


def cropped(one: Sequence[int], other: Sequence[int]) -> tuple[list[int], list[int]]:
    """Leave out of both what is above the 90th percentile of all."""
    highest = sorted([*one, *other])[int((len(one) + len(other)) * _CROP)]
    return [each for each in one if each <= highest], [each for each in other if each <= highest]


def measured(kinds: Mapping[str, Work], samples: int) -> dict[str, list[int]]:
    """Time each kind *samples* times in a random order; nanoseconds."""
    took: dict[str, list[int]] = {name: [] for name in kinds}
    clock = time.perf_counter_ns
    gc.collect()
    gc.disable()
    try:
        for begun in range(0, samples, _AT_ONCE):
            order = [*kinds] * min(_AT_ONCE, samples - begun)
            random.shuffle(order)
            for name in order:
                work = kinds[name]
                start = clock()
                work()
                end = clock()
                took[name].append(end - start)
    finally:
        gc.enable()
    return took


def verdicts(took: Mapping[str, Sequence[int]]) -> list[Verdict]:
    """Compare every two kinds."""
    found = []
    for one, other in itertools.combinations(took, 2):
        kept = cropped(took[one], took[other])
        found.append(Verdict(one, other, welch(*kept), min(map(len, kept))))
    return found


def comparisons() -> dict[str, Work]:
    """Make what checks a token against four verifiers that are not its own."""
    pepper = Pepper(secrets.token_bytes(32))
    token, another = (
        encode_token(_PREFIX, encode_kid(secrets.token_bytes(10)), secrets.token_bytes(32))
        for _ in range(2)
    )
    right = pepper.verifier(token)
    against = {
        "wrong first byte": bytes([right[0] ^ 1]) + right[1:],
        "wrong last byte": right[:-1] + bytes([right[-1] ^ 1]),
        "unknown kid": bytes(len(right)),
        "wrong secret": pepper.verifier(another),
    }

    def work(verifier: bytes) -> Work:
        return lambda: matches(token, verifier, pepper)

    return {name: work(verifier) for name, verifier in against.items()}


async def refusals(samples: int) -> dict[str, float]:
    """Return the medians of the whole call, in nanoseconds: an unknown kid, a wrong secret."""
    settings = Settings(
        environment="test",
        transcribers={},
        key_pepper=Secret(secrets.token_hex(32)),
        key_cache_ttl=timedelta(minutes=5),
        store="memory://",
        attempts_per_client=RateLimit(10**9, timedelta(seconds=1)),
        attempts_overall=RateLimit(10**9, timedelta(seconds=1)),
    )
    async with open_tollkeeper(settings) as tk:
        issued = await tk.issue_key(account="acme", scopes={"chat:complete"})
        await tk.authenticate_key(issued.token)
        known, text = issued.key.secrets[0].kid, issued.token.reveal()
        prefix = text[: text.index(known) - 1]
        unknown = encode_kid(secrets.token_bytes(10))
        tokens = {
            "unknown kid": encode_token(prefix, unknown, secrets.token_bytes(32)),
            "wrong secret": encode_token(prefix, known, secrets.token_bytes(32)),
        }
        took: dict[str, list[int]] = {name: [] for name in tokens}
        for number in range(samples):
            order = [*tokens]
            random.shuffle(order)
            for name in order:
                took[name].append(await _refused(tk, tokens[name]))
            if number % 100 == 0:
                await asyncio.sleep(0)
        return {name: statistics.median(each) for name, each in took.items()}


async def _refused(tk: Tollkeeper, token: str) -> int:
    start = time.perf_counter_ns()
    try:
        await tk.authenticate_key(token)
    except Unauthenticated:
        return time.perf_counter_ns() - start
    raise AssertionError("a wrong key was let in")


def _pin() -> None:
    """Stay on one processor, where that can be said."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def main(
    samples: Annotated[
        int, typer.Option(min=100, help="How often each kind of input is measured.")
    ] = 1_000_000,
) -> None:
    """Print Welch's t for every two kinds of wrong keys, and the medians of the whole refusal."""
    _pin()
    print(f"comparing the MAC, {samples:,} samples of each, the slowest tenth left out:")
    for found in verdicts(measured(comparisons(), samples)):
        pair = f"{found.one} / {found.other}"
        says = "OK" if found.passes else "not OK"
        print(f"  {pair:35} |t| = {abs(found.t):6.2f}  {says} (below {THRESHOLD})")
    medians = asyncio.run(refusals(max(1000, samples // 20)))
    unknown, wrong = medians["unknown kid"], medians["wrong secret"]
    apart = abs(unknown - wrong) / wrong
    says = "OK" if apart <= ALIKE else "not OK"
    print(
        f"the whole refusal, medians: unknown kid {unknown / 1000:.2f} µs, wrong secret "
        f"{wrong / 1000:.2f} µs, {apart:.1%} apart  {says} (at most {ALIKE:.0%})"
    )


if __name__ == "__main__":
    typer.run(main)
