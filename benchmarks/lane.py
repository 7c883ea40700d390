"""One contender at work in a process of its own."""

import json
import os
import select
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import PIPE, Popen
from types import TracebackType
from typing import Any, Self

from benchmarks.contender import Benchmark, Case, Entry
from benchmarks.measure import Round
from benchmarks.upstream import ROOT

_PATIENCE = 180.0  # seconds for one order; the slowest, 256 streams of litellm, takes about 40

_ENVIRONMENT = {
    # The loopback needs no proxy, and nothing here may look for anything outside.
    "NO_PROXY": "127.0.0.1",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_OFFLINE_MODE": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}


class Failed(Exception):
    """A contender raised, died or fell silent."""


def environment() -> Mapping[str, str]:
    """What every contender's process gets; compiled modules may be kept, as in a host."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, **_ENVIRONMENT}


class Lane:
    """Holds one contender's process; leaving the block ends it."""

    def __init__(self, benchmark: Benchmark, entry: Entry, folder: Path, upstream: str) -> None:
        self.entry = entry
        folder.mkdir(parents=True)
        self._log = folder / "output.txt"
        with self._log.open("w") as log:
            self._process = Popen(
                [
                    *(sys.executable, "-m", "benchmarks.worker"),
                    *(benchmark.name, entry.name, str(folder), upstream),
                ],
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                env=environment(),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
            self._process.wait(10 if error is None else 0)
        except Exception:
            self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def wait_until_ready(self) -> None:
        """Wait until the contender is open.

        Raises:
            Failed: it is not going to be.
        """
        self._answer()

    def round(self, case: Case, seconds: float) -> Round:
        """Run one round.

        Raises:
            Failed: the contender did.
        """
        self._order(
            do="round",
            callers=case.callers,
            mode=case.mode,
            seconds=seconds,
            run_in=case.run_in,
        )
        return Round(**self._answer())

    def check(self) -> None:
        """Let the contender assert its sums.

        Raises:
            Failed: they are wrong.
        """
        self._order(do="check")
        self._answer()

    def _order(self, **order: object) -> None:
        assert self._process.stdin is not None
        try:
            print(json.dumps(order), file=self._process.stdin, flush=True)
        except OSError:
            raise Failed(self._last_words()) from None

    def _answer(self) -> Any:
        stdout = self._process.stdout
        assert stdout is not None
        if not select.select([stdout], [], [], _PATIENCE)[0]:
            raise Failed(f"no answer within {_PATIENCE:.0f} s")
        line = stdout.readline()
        if not line:
            raise Failed(self._last_words())
        answer = json.loads(line)
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer["done"]

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "the process ended without a word"
