"""All benchmarks that run in rounds, by name."""

from importlib import import_module

from benchmarks.contender import Benchmark

NAMES = ("chat", "added", "metered", "ledger", "authenticate", "rating", "cache")


def benchmark(name: str) -> Benchmark:
    """Return the benchmark of that name; only its own module is imported.

    A contender's process must not hold more than the contender needs.
    """
    found: Benchmark = getattr(import_module(f"benchmarks.{name}"), name.upper())
    return found
