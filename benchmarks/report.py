"""Showing the outcome: a table to read, or JSON."""

import os
import platform
import statistics
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.runner import Line, Plan, Table

_COLUMNS = ("CPU", "ratio", "p50", "p99", "per second", "ratio")
_STYLES = {"ours": "bold", "floor": "dim", "other": ""}


def machine(folder: Path) -> Mapping[str, Any]:
    """Say what the figures depend on: processors, Python, and the disk that holds *folder*."""
    return {
        "processors": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "flush_seconds": _flush(folder / "flush"),
    }


def _flush(path: Path, times: int = 50) -> float:
    """Measure how long the disk takes to keep 4 KiB."""
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            start = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - start)
    return statistics.median(took)


def duration(seconds: float | None) -> str:
    """Write a duration with three digits: 1.25 ms."""
    if seconds is None:
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{_three(seconds / size)} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def signed(seconds: float) -> str:
    """Write a difference of durations: +1.25 ms; nothing for none."""
    if seconds == 0:
        return ""
    return f"{'+' if seconds > 0 else '-'}{duration(abs(seconds))}"


def _three(value: float) -> str:
    if value >= 99.95:
        return f"{value:,.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.0995 else f"{value:.2g}"


def show(table: Table, console: Console) -> None:
    """Print one benchmark; each ratio stands right of the figure that it belongs to."""
    shown = RichTable(
        title=f"{table.title}: for each {table.operation}",
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
    )
    shown.add_column("", no_wrap=True, min_width=30)
    more = {
        "CPU more": table.differs,
        "a chunk": any(line.parts for line in table.lines),
        "memory": any(line.memory for line in table.lines),
    }
    for name in (*_COLUMNS, *(name for name, wanted in more.items() if wanted)):
        shown.add_column(name, justify="right", no_wrap=True)
    case = None
    for line in table.lines:
        if line.case != case:
            case = line.case
            shown.add_section()
            shown.add_row(case, style="italic")
        cells = [cell for name, cell in _more(line).items() if more[name]]
        shown.add_row(f"  {line.contender}", *_cells(line), *cells, style=_STYLES[line.side])
    console.print(shown)
    for remark in dict.fromkeys(
        f"  {line.contender}: {line.remark}" for line in table.lines if line.remark
    ):
        console.print(remark, markup=False, highlight=False)
    console.print()


def _cells(line: Line) -> list[str]:
    found = line.summary
    if found is None:
        return ["see below", "", "", "", "", ""]
    return [
        duration(found.cpu),
        f"{_three(found.cpu_ratio)} x",
        duration(found.p50),
        duration(found.p99),
        _three(found.rate),
        f"{_three(found.rate_ratio)} x",
    ]


def _more(line: Line) -> dict[str, str]:
    """Write what only some tables show."""
    found = line.summary
    return {
        "CPU more": signed(found.cpu_more) if found else "",
        "a chunk": duration(found.cpu / line.parts) if found and line.parts else "",
        "memory": f"{line.memory / 2**20:.0f} MiB" if line.memory else "",
    }


def as_plain(tables: Iterable[Table], plan: Plan, about: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return everything as values that JSON can hold; times are seconds."""
    return {
        "machine": about,
        "plan": attrs.asdict(plan),
        "benchmarks": [attrs.asdict(table) for table in tables],
    }
