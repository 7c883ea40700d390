"""From a new interpreter to ready for work: what importing costs."""

import re
import subprocess
import sys
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from benchmarks.contender import Contender, Entry
from benchmarks.lane import environment
from benchmarks.measure import Round, summarise
from benchmarks.runner import Line, Plan, Table, Tick

NAME = "imports"
_CASE = "a new process"
_BASELINE = "opened-sqlite"
_OPEN = """
import asyncio
from tollkeeper import Settings, open_tollkeeper
async def main():
    async with open_tollkeeper(Settings(environment="test", store={store!r}, transcribers={{}})):
        pass
asyncio.run(main())
"""


_SAY_SIZE = """
import os
if os.path.exists("/proc/self/status"):
    print(open("/proc/self/status").read())
"""


def _no_contender() -> Contender:
    raise NotImplementedError("here each contender is a program, run from its beginning")


ENTRIES = (
    Entry("python", "python, nothing imported", _no_contender, side="floor"),
    Entry("import", "import tollkeeper", _no_contender, side="ours"),
    Entry("opened-memory", "tollkeeper, opened on memory", _no_contender, side="ours"),
    Entry(_BASELINE, "tollkeeper, opened on SQLite", _no_contender, side="ours"),
    Entry("openai", "import openai {version}", _no_contender, package="openai"),
    Entry("litellm", "import litellm {version}", _no_contender, package="litellm"),
)


def programs(folder: Path) -> dict[str, str]:
    """Return the program of each entry."""
    return {
        "python": "pass",
        "import": "import tollkeeper",
        "opened-memory": _OPEN.format(store="memory://"),
        _BASELINE: _OPEN.format(store=f"sqlite:///{folder / 'tk.db'}"),
        "openai": "import openai; openai.AsyncOpenAI",
        "litellm": "import litellm",
    }


def spawn(program: str) -> tuple[Round, int | None]:
    """Run *program* in a new interpreter; return its times and its largest resident size.

    The size is in bytes, and None where the system does not say it in ``/proc``: what a parent
    is told of a child's size holds its own.
    """
    before = getrusage(RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program + _SAY_SIZE],
        stdout=subprocess.PIPE,
        env=environment(),
        text=True,
        check=True,
    )
    took = time.perf_counter() - start
    after = getrusage(RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = re.search(r"VmHWM:\s+(\d+) kB", done.stdout)
    return Round(1, took, cpu, (took,)), int(found[1]) * 1024 if found else None


def _rounds(plan: Plan) -> int:
    """Three are enough: processor time varies little here, and the slowest takes seconds."""
    return min(plan.rounds, 3)


def steps(plan: Plan) -> int:
    """Count the ticks that :func:`run` takes."""
    return sum(entry.installed for entry in ENTRIES) * (_rounds(plan) + 1)


def run(plan: Plan, *, folder: Path, tick: Tick) -> Table:
    """Start each program anew in every round; the first round compiles the modules, uncounted."""
    place = folder.absolute() / NAME
    place.mkdir(parents=True)
    sources = programs(place)
    installed = [entry for entry in ENTRIES if entry.installed]
    rounds: dict[str, list[Round]] = {entry.name: [] for entry in installed}
    memory: dict[str, int | None] = dict.fromkeys(rounds)
    for number in range(-1, _rounds(plan)):
        for entry in installed:
            done, resident = spawn(sources[entry.name])
            tick(f"{_CASE}: {entry.name}")
            if number >= 0:
                rounds[entry.name].append(done)
                memory[entry.name] = resident
    lines = []
    for entry in ENTRIES:
        if entry not in installed:
            lines.append(Line(_CASE, entry.title, entry.side, remark=entry.absence))
            continue
        summary = summarise(rounds[entry.name], rounds[_BASELINE])
        lines.append(
            Line(_CASE, entry.title, entry.side, summary=summary, memory=memory[entry.name])
        )
    return Table(NAME, "From a new interpreter to ready for work", "start", tuple(lines))
