"""Bars on standard error for whoever watches; a program that reads the output sees none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tollkeeper.infra.cli.output import console
from tollkeeper.infra.cli.printable import printable


@contextmanager
def counting(what: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show how many *what* were done while the block runs; gives what hears of the number.

    Of an unknown *total* the bar only moves.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}"),
        TimeElapsedColumn(),
    )
    screen = console(stderr=True)
    with Progress(
        *columns, console=screen, transient=True, disable=not screen.is_terminal
    ) as progress:
        bar = progress.add_task(printable(what), total=total)
        yield lambda number: progress.update(bar, completed=number)
