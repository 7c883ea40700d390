"""The process that one contender lives in: orders come in as lines of JSON, answers go out.

Contenders do not share a process, because some of them slow the others down: a library that
keeps a million objects alive makes the garbage collector of the whole process work for it.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import attrs

from benchmarks.contender import Arena, Contender
from benchmarks.measure import run_round
from benchmarks.suite import benchmark


def _obey(runner: asyncio.Runner, contender: Contender, order: dict[str, Any]) -> object:
    if order["do"] == "round":
        work = run_round(
            contender,
            callers=order["callers"],
            mode=order["mode"],
            seconds=order["seconds"],
            run_in=order["run_in"],
        )
        return attrs.asdict(runner.run(work))
    if order["do"] == "check":
        return runner.run(contender.check())
    raise ValueError(order["do"])


def main(benchmark_name: str, entry_name: str, folder: str, upstream: str) -> None:
    """Serve one contender until standard input ends."""
    # What a contender prints must not come between our answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value: object) -> None:
        print(json.dumps(value), file=answers, flush=True)

    contender = benchmark(benchmark_name).entry(entry_name).make()
    with asyncio.Runner() as runner:
        try:
            runner.run(contender.open(Arena(Path(folder), upstream)))
            answer({"done": None})
            for line in sys.stdin:
                answer({"done": _obey(runner, contender, json.loads(line))})
            runner.run(contender.close())
        except Exception as error:
            answer({"failed": f"{type(error).__name__}: {error}"})
            raise


if __name__ == "__main__":
    main(*sys.argv[1:])
