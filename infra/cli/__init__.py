"""The command line: one module for each group of commands."""

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command that the process was started with, and exit with its code."""
    try:
        try:
            from tollkeeper.infra.cli.app import run
        except ModuleNotFoundError as error:
            if error.name not in ("typer", "rich"):
                raise
            print(
                f"error: {error.name} is not installed; run: pip install 'tollkeeper[cli]'",
                file=sys.stderr,
            )
            sys.exit(2)
        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:  # while loading; later the commands see to it themselves
        sys.exit(130)
