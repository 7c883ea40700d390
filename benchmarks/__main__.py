"""The command: ``python -m benchmarks [NAME…] [--json]``."""

import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import imports, report, runner, suite
from benchmarks.runner import Plan, Table, Tick
from benchmarks.upstream import ROOT

_ALL = (*suite.NAMES, imports.NAME)


def _run_all(names: Iterable[str], plan: Plan, folder: Path, tick: Tick) -> list[Table]:
    return [
        imports.run(plan, folder=folder, tick=tick)
        if name == imports.NAME
        else runner.run(suite.benchmark(name), plan, folder=folder, tick=tick)
        for name in names
    ]


def _steps(names: Iterable[str], plan: Plan) -> int:
    return sum(
        imports.steps(plan) if name == imports.NAME else runner.steps(suite.benchmark(name), plan)
        for name in names
    )


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Which to run, of: {', '.join(_ALL)}. All, if none.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds to take medians of.")] = 5,
    seconds: Annotated[
        float, typer.Option(min=0.001, help="How long each contender runs in a round.")
    ] = 0.3,
    folder: Annotated[
        Path, typer.Option(help="Where files go, removed afterwards: on the disk to be measured.")
    ] = ROOT / "build",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Run Tollkeeper side by side with what one would pick instead, and show medians and ratios."""
    chosen = names or list(_ALL)
    unknown = [name for name in chosen if name not in _ALL]
    if unknown:
        raise typer.BadParameter(f"no benchmark is called {unknown[0]}; there are {_ALL}")
    plan = Plan(rounds, seconds)
    console = Console() if sys.stdout.isatty() else Console(width=130)
    folder.mkdir(parents=True, exist_ok=True)
    progress = Progress(
        TextColumn("{task.description:40}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with tempfile.TemporaryDirectory(prefix="bench-", dir=folder) as place, progress:
        about = report.machine(Path(place))
        task = progress.add_task("starting", total=_steps(chosen, plan))
        tables = _run_all(
            chosen,
            plan,
            Path(place),
            lambda text: progress.update(task, advance=1, description=text),
        )
    if as_json:
        print(json.dumps(report.as_plain(tables, plan, about), indent=2))
    else:
        console.print(
            f"{about['processors']} processors ({about['machine']}), Python {about['python']}, "
            f"flushing 4 KiB takes {report.duration(about['flush_seconds'])}; medians of {rounds} "
            f"rounds of {seconds:g} s\n"
        )
        for table in tables:
            report.show(table, console)
    failures = [failure for table in tables for failure in table.failures]
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
