"""Whether everything that is configured works, and what to do where it does not."""

import platform
import sys
from contextlib import redirect_stdout
from importlib.metadata import version
from typing import Annotated

import typer
from rich.text import Text

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.infra.cli import exits
from tollkeeper.infra.cli.checks import Checked, check_all, settings_fault
from tollkeeper.infra.cli.output import left, print_json, print_table, right, say
from tollkeeper.infra.cli.session import execute, load_settings

_STYLES = {"reachable": "green", "in process": "green", "warning": "yellow", "failed": "red"}


def doctor(
    ctx: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check each part that is configured: its adapter, whether it answers, what to do if not.

    Exits with 1 if something that is configured does not work; a warning is no failure.
    """
    environment = ""
    try:
        settings = load_settings(ctx)
        environment = settings.environment
        with redirect_stdout(sys.stderr):  # adapters of others may print; JSON must stay JSON
            checked = execute(lambda: check_all(settings))
    except ConfigurationError as error:
        checked = settings_fault(error)
    well = all(each.status != "failed" for each in checked)
    versions = {"tollkeeper": version("tollkeeper"), "python": platform.python_version()}
    if as_json:
        print_json(
            {
                "ok": well,
                **versions,
                "environment": environment or None,
                "parts": [_document(each) for each in checked],
            }
        )
    else:
        say(f"tollkeeper {versions['tollkeeper']}, Python {versions['python']}")
        _print(checked, environment)
        say("all is well" if well else "what failed is said above, with what to do about it")
    if not well:
        raise typer.Exit(exits.FAULTS_FOUND)


def _latency(checked: Checked) -> str:
    return "" if checked.latency is None else f"{checked.latency * 1000:.1f} ms"


def _print(checked: list[Checked], environment: str) -> None:
    columns = [*left("part", "adapter", "status"), *right("latency"), *left("what it says")]
    rows = [
        (
            each.part,
            each.adapter,
            Text(each.status, style=_STYLES[each.status]),
            _latency(each) if each.status == "reachable" else "",
            each.says,
        )
        for each in checked
    ]
    print_table(f"Environment {environment}" if environment else "", columns, rows, empty="")


def _document(checked: Checked) -> dict[str, object]:
    milliseconds = None if checked.latency is None else round(checked.latency * 1000, 3)
    return {
        "part": checked.part,
        "adapter": checked.adapter,
        "status": checked.status,
        "latency_ms": milliseconds,
        "says": checked.says,
    }
