"""Bringing the schema of the store up to this version."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.infra.cli import exits
from tollkeeper.infra.cli.masking import masked
from tollkeeper.infra.cli.output import (
    Document,
    left,
    note,
    print_json,
    print_table,
    say,
    whole,
)
from tollkeeper.infra.cli.session import execute, load_settings
from tollkeeper.infra.lazy import Lazy
from tollkeeper.infra.registry import scheme_of

if TYPE_CHECKING:
    from tollkeeper.infra.schema_versions import SchemaState

_VERSIONS = "tollkeeper.infra.schema_versions"
_STATE = Lazy(f"{_VERSIONS}:state_of", extra="postgres")
_MIGRATE = Lazy(f"{_VERSIONS}:migrate", extra="postgres")
_STYLES = {"applied": "green", "missing": "red"}
_NOTHING = {
    "memory": "nothing to migrate: memory:// keeps nothing",
    "sqlite": "nothing to migrate: a SQLite file is upgraded when it is opened",
}
"""Stores without migrations: a deployment may run the command for every environment."""


def migrate(
    ctx: typer.Context,
    *,
    check: Annotated[
        bool,
        typer.Option("--check", help="Change nothing; exit with 1 if a migration is missing."),
    ] = False,
    url_env: Annotated[
        str | None,
        typer.Option(
            "--url-env",
            metavar="NAME",
            help="Use the postgresql:// URL in this variable, not the store of the settings.",
        ),
    ] = None,
    url_file: Annotated[
        Path | None,
        typer.Option(
            "--url-file",
            metavar="FILE",
            help="The same, from the text of a file; `-` reads standard input.",
        ),
    ] = None,
    grant_to: Annotated[
        list[str] | None,
        typer.Option(
            "--grant-to",
            metavar="ROLE",
            help="Let this role of the database use the schema; on Supabase, service_role.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring the schema of a PostgreSQL store up to this version of Tollkeeper.

    What is missing is applied in one transaction, all or nothing. Any number of
    processes may try at once: one applies, the others find nothing to do.
    """
    roles = grant_to or []
    if check and roles:
        raise InvalidRequest("--check changes nothing; leave out --grant-to")
    url = _url_of(ctx, url_env, url_file)
    scheme = scheme_of(url)
    if scheme in _NOTHING:
        if roles:
            raise InvalidRequest(f"--grant-to is for postgresql://; the store is {scheme}://")
        state = None
    else:
        _refuse_others(scheme)
        state = _looked_at(url, roles, check=check)
    if as_json:
        print_json(_document(scheme, state, roles))
    elif state is None:
        say(_NOTHING[scheme])
    else:
        _print(url, state, roles)
    if state is not None and state.missing:
        raise typer.Exit(exits.FAULTS_FOUND)


def _url_of(ctx: typer.Context, variable: str | None, file: Path | None) -> str:
    """Return the URL, which holds a password: so it is never an argument itself."""
    if variable is not None and file is not None:
        raise InvalidRequest("give one of --url-env and --url-file")
    if variable is not None:
        url, where = os.environ.get(variable, ""), f"--url-env: the variable {variable}"
    elif file is not None:
        try:
            url = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
            where = f"--url-file: {file}"
        except (OSError, UnicodeError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise InvalidRequest(f"--url-file: cannot read {file} ({why})") from None
    else:
        return load_settings(ctx).store
    if not url.strip():
        raise InvalidRequest(f"{where} holds nothing; it must hold a postgresql:// URL")
    if not scheme_of(url.strip()):
        raise InvalidRequest(f"{where} holds no URL; it must hold a postgresql:// URL")
    return url.strip()


def _refuse_others(scheme: str) -> None:
    if scheme.startswith("supabase+"):
        raise InvalidRequest(
            "Supabase's REST address cannot change a schema; give the URL of the database itself "
            "(postgresql://…, see the project's Connect page) with --url-env or --url-file"
        )
    if scheme not in ("postgresql", "postgres"):
        raise InvalidRequest(
            f"{scheme}:// is not migrated by Tollkeeper; see what its own package says"
        )


def _looked_at(url: str, roles: Sequence[str], *, check: bool) -> "SchemaState":
    state: SchemaState
    if check:
        ask = _STATE.load()
        state = execute(lambda: ask(url))
    else:
        change = _MIGRATE.load()
        state = execute(lambda: change(url, on_step=_say_step, grant_to=roles))
    return state


def _say_step(name: str) -> None:
    note(f"applying {name}")


def _print(url: str, state: "SchemaState", roles: Sequence[str]) -> None:
    rows = [
        (name, Text(status, style=_STYLES.get(status, "")))
        for status in ("present", "applied", "missing")
        for name in getattr(state, status)
    ]
    columns = [*whole("migration"), *left("status")]
    print_table("Migrations", columns, rows, empty="there are no migrations")
    if state.missing:
        say(f"{masked(url)} lacks {', '.join(state.missing)}; run: tollkeeper migrate")
    elif state.applied:
        say(f"{masked(url)} is at {state.version} now")
    else:
        say(f"{masked(url)} is at {state.version}; nothing is missing")
    if roles:
        say(f"may use it: {', '.join(roles)}")


def _document(scheme: str, state: "SchemaState | None", roles: Sequence[str]) -> Document:
    def names(status: str) -> list[str]:
        return [] if state is None else list(getattr(state, status))

    return {
        "store": scheme,
        "version": None if state is None else state.version or None,
        "present": names("present"),
        "applied": names("applied"),
        "missing": names("missing"),
        "granted_to": list(roles),
    }
