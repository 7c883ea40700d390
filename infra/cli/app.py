"""The command ``tollkeeper``: its global options and its groups."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tollkeeper.domain.errors import TollkeeperError
from tollkeeper.infra.cli import exits
from tollkeeper.infra.cli.attempts import attempts
from tollkeeper.infra.cli.audit import app as audit
from tollkeeper.infra.cli.complete import complete
from tollkeeper.infra.cli.credentials import app as credentials
from tollkeeper.infra.cli.credit import app as credit
from tollkeeper.infra.cli.demo import demo
from tollkeeper.infra.cli.doctor import doctor
from tollkeeper.infra.cli.embed import embed
from tollkeeper.infra.cli.init import init
from tollkeeper.infra.cli.keys import app as keys
from tollkeeper.infra.cli.ledger import holds, ledger
from tollkeeper.infra.cli.migrate import migrate
from tollkeeper.infra.cli.models import models
from tollkeeper.infra.cli.plans import app as plans
from tollkeeper.infra.cli.secrets import app as secrets
from tollkeeper.infra.cli.session import Chosen
from tollkeeper.infra.cli.transcribe import transcribe
from tollkeeper.infra.cli.usage import usage
from tollkeeper.infra.cli.verify import verify

_SIZE = re.compile(r"[0-9]{1,5}")


class _OneLineErrors(TyperGroup):
    """Ends every failure that is not ours to debug with a line and a code, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and see that all of its output has left."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except TollkeeperError as error:
            raise typer.Exit(exits.report(error)) from error
        except BrokenPipeError as error:
            exits.silence()
            raise typer.Exit(exits.PIPE_CLOSED) from error
        except OSError as error:
            raise typer.Exit(_unwritten(error)) from error
        except KeyboardInterrupt as error:
            exits.say_error("interrupted")
            raise typer.Exit(exits.INTERRUPTED) from error


def _unwritten(error: OSError) -> int:
    exits.say_error(f"cannot write the output: {error.strerror or 'an input/output error'}")
    exits.silence()
    return exits.FAULTS_FOUND


app = typer.Typer(
    cls=_OneLineErrors,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=exits.TABLE,
)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tollkeeper {version('tollkeeper')}", flush=True)
        raise typer.Exit


@app.callback()
def _tollkeeper(
    ctx: typer.Context,
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment",
            "-e",
            envvar="TOLLKEEPER_ENVIRONMENT",
            show_default="local",
            help="Which table of the settings file to use.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            envvar="TOLLKEEPER_FILE",
            show_default="tollkeeper.toml, if it is there",
            help="The settings file.",
        ),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda value: _print_version(wanted=value),
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    """Issue API keys, make metered completions and transcriptions, and see what they cost.

    New here? Run `tollkeeper demo`. Every command explains itself with --help.
    """
    if environment is None:
        # Typer takes an empty variable for none; we ask which environment was meant.
        environment = os.environ.get("TOLLKEEPER_ENVIRONMENT")
    ctx.obj = Chosen(environment, file)


_COMMANDS = (
    *(demo, init, models),
    *(complete, embed, transcribe),
    *(usage, ledger, attempts),
    *(doctor, verify, migrate),
)
for command in _COMMANDS:
    app.command()(command)
_GROUPS = {
    "keys": keys,
    "secrets": secrets,
    "credentials": credentials,
    "audit": audit,
    "credit": credit,
    "plans": plans,
    "holds": holds,
}
for name, group in _GROUPS.items():
    app.add_typer(group, name=name)


def _correct_size() -> None:
    """Replace sizes of a terminal that are none: Rich would print nothing, or fail."""
    for variable, least, usual in (("COLUMNS", 20, "80"), ("LINES", 1, "25")):
        given = os.environ.get(variable)
        if given is not None and not (_SIZE.fullmatch(given) and int(given) >= least):
            os.environ[variable] = usual


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    if sys.stdout is None:
        exits.say_error("standard output is closed; what the command prints would be lost")
        return exits.FAULTS_FOUND
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal cannot show must not end a call that is paid for.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    _correct_size()
    try:
        app(args=list(arguments), prog_name="tollkeeper")
    except SystemExit as error:
        # While help is printed, Rich and Click turn this into an exit of their own.
        if isinstance(error.__context__, BrokenPipeError):
            exits.silence()
            return exits.PIPE_CLOSED
        return error.code if isinstance(error.code, int) else exits.FAULTS_FOUND
    except OSError as error:  # the help itself could not be written
        return _unwritten(error)
    return 0
