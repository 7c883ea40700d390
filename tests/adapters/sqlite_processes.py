"""Processes that work on a SQLite store, started and listened to by tests."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def worker(task: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that does *task*; it does not outlive the block."""
    command = [sys.executable, "-m", "tests.adapters.sqlite_worker", task, str(path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str]) -> Iterator[list[str]]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line.split()


def run(task: str, path: Path) -> list[list[str]]:
    with worker(task, path) as process:
        told = list(lines(process))
        assert process.wait() == 0
    return told
