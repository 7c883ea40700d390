"""Printing: tables for people, JSON for programs; readable without colour and in a pipe."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from attrs import frozen
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tollkeeper.domain.money import Money
from tollkeeper.domain.printed import printed, printed_json
from tollkeeper.infra.cli.printable import printable, without_controls

_WIDE = 10_000
"""As good as endless: nobody wants a table folded in a file."""
_NARROWEST, _USUAL = 20, 80
"""Narrower than that is no terminal, but a variable that says nothing, such as COLUMNS=0."""
_GAP = 2
_LONG_WORD = 12


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Leave it to the one place that ends the command."""
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """Make a console that shows text as it is: no markup, no emoji names, no guessed colours."""
    stream = sys.stderr if stderr else sys.stdout
    folded = stream is None or stream.isatty() or "COLUMNS" in os.environ
    made = _Console(
        stderr=stderr,
        width=None if folded else _WIDE,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=False,
    )
    if made.width < _NARROWEST:
        made.width = _USUAL
    return made


def say(text: str = "", *, style: str | None = None) -> None:
    """Print a line of text."""
    console().print(printable(text), style=style, soft_wrap=True)


def note(text: str) -> None:
    """Tell the person at the terminal something; programs that read the output do not see it."""
    console(stderr=True).print(printable(text), soft_wrap=True)


def write(text: str) -> None:
    """Write *text* as it stands, at once: a piece of a stream, or a token."""
    sys.stdout.write(text)
    sys.stdout.flush()


def write_text(text: str) -> None:
    """Write what a model said: as it stands in a pipe, without control characters on a terminal."""
    write(without_controls(text) if sys.stdout.isatty() else text)


def print_json(document: object) -> None:
    """Print one JSON document; what a terminal would obey is written as JSON writes it."""
    write(printed_json(json.dumps(document, ensure_ascii=False, indent=2)) + "\n")


@frozen
class Column:
    """A column of a table; numbers and amounts stand at the *right*.

    What is *whole* (a name that people copy) is never broken into lines.
    """

    name: str
    right: bool = False
    whole: bool = False


def left(*names: str) -> list[Column]:
    """Name columns of text."""
    return [Column(name) for name in names]


def whole(*names: str) -> list[Column]:
    """Name columns of text that is never broken into lines."""
    return [Column(name, whole=True) for name in names]


def right(*names: str) -> list[Column]:
    """Name columns of numbers."""
    return [Column(name, right=True) for name in names]


def print_table(
    title: str, columns: Sequence[Column], rows: Iterable[Sequence[object]], *, empty: str
) -> None:
    """Print *rows* (cells are Text, or shown by str), or the line *empty* if there are none.

    Where a terminal is too narrow for the table, each row is printed as a list.
    """
    # On one line: a line end in a name must not look like another row.
    lines = [[c if isinstance(c, Text) else Text(printed(str(c))) for c in row] for row in rows]
    widths = [
        _narrowest(column, [line[place] for line in lines]) for place, column in enumerate(columns)
    ]
    screen = console()
    if not lines:
        say(empty)
    elif sum(widths) + _GAP * len(widths) <= screen.width:
        screen.print(_table(title, columns, widths, lines), crop=False)
        say()
    else:
        _print_lists(title, columns, lines)


def _narrowest(column: Column, cells: Sequence[Text]) -> int:
    """Say how narrow a column may get: words are kept in one piece, unless they are long."""
    texts = [column.name, *(cell.plain for cell in cells)]
    if column.right or column.whole:
        return max(map(cell_len, texts))
    return min(_LONG_WORD, max(cell_len(word) for text in texts for word in text.split()))


def _table(
    title: str, columns: Sequence[Column], widths: Sequence[int], lines: Sequence[Sequence[Text]]
) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),
    )
    for column, width in zip(columns, widths, strict=True):
        table.add_column(
            column.name,
            justify="right" if column.right else "left",
            overflow="fold",
            no_wrap=column.right or column.whole,
            min_width=width,
        )
    for line in lines:
        table.add_row(*line)
    return table


def _print_lists(title: str, columns: Sequence[Column], lines: Sequence[Sequence[Text]]) -> None:
    width = max(len(column.name) for column in columns)
    say(title, style="bold")
    for line in lines:
        say()
        for column, cell in zip(columns, line, strict=True):
            if cell.plain.strip():
                say(f"  {column.name:<{width}}  {cell.plain.strip()}")
    say()


def aligned(amounts: Sequence[Money | None]) -> list[str]:
    """Write a column of amounts so that their decimal points stand under one another."""
    decimals = max((len(a.amount.partition(".")[2]) for a in amounts if a is not None), default=0)
    return ["" if a is None else f"{_padded(a.amount, decimals)} {a.currency}" for a in amounts]


def _padded(amount: str, decimals: int) -> str:
    return amount + " " * (decimals - len(amount.partition(".")[2]))


def when(at: datetime | None) -> str:
    """Show a time in a table: UTC, to the second."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def iso(at: datetime | None) -> str | None:
    """Write a time in JSON: ISO 8601, UTC."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


Document = dict[str, Any]
