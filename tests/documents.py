"""Reading the documentation: its pages, their code blocks, tables and links."""

import re
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[1]
PAGES = tuple(sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]))

_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@frozen
class Block:
    """A fenced block of code; *line* is that of its first line."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where it stands, as ``README.md:12``."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the code blocks of *page* in one of *languages*."""
    text = page.read_text("utf-8")
    return [
        Block(page, text.count("\n", 0, match.start(2)) + 1, match[1], match[2])
        for match in _FENCE.finditer(text)
        if match[1] in languages
    ]


def prose(page: Path) -> str:
    """Return *page* without its code blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def links(page: Path) -> list[str]:
    """Return where the links of *page* go."""
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """Return the names of the headings of *page*, as links write them."""
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in _HEADING.findall(prose(page)))
    return {title.strip().replace(" ", "-") for title in plain}


def tables(page: Path) -> Iterator[list[dict[str, str]]]:
    """Go through the tables of *page*: each row is a mapping from column to cell."""
    for paragraph in prose(page).split("\n\n"):
        lines = [line for line in paragraph.splitlines() if line.startswith("|")]
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        if len(rows) > 2:
            head, _, *body = rows
            yield [dict(zip(head, row, strict=True)) for row in body]


def table(page: Path, column: str) -> list[dict[str, str]]:
    """Return the table of *page* whose first column is called *column*."""
    return next(rows for rows in tables(page) if next(iter(rows[0])) == column)


def ticked(text: str) -> list[str]:
    """Return what stands between backticks in *text*."""
    return re.findall(r"`([^`]+)`", text)
