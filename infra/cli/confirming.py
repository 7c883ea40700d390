"""Asking whoever is at the terminal before something is lost for good."""

import sys

import typer

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.infra.cli.printable import printable


def confirmed(question: str, *, what: str) -> bool:
    """Ask *question*; *what* is lost says why it is asked.

    Raises:
        InvalidRequest: nobody is there to answer.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise InvalidRequest(
            f"{what} cannot be brought back, and there is no terminal to ask at: say --yes"
        )
    return typer.confirm(printable(question), err=True)
