"""API keys: issue, show, change, revoke, rotate and seal them, and act on leaks."""

import typer

from tollkeeper.infra.cli.key_options import ACTOR as ACTOR
from tollkeeper.infra.cli.keys_changes import delete, disable, enable, revoke, update
from tollkeeper.infra.cli.keys_leaks import leaked, pattern
from tollkeeper.infra.cli.keys_making import issue, rotate
from tollkeeper.infra.cli.keys_sealing import seal
from tollkeeper.infra.cli.keys_showing import list_, show

app = typer.Typer(
    no_args_is_help=True,
    help="Issue, show, change, revoke, rotate and seal API keys; act on leaks.",
)

app.command()(issue)
app.command("list")(list_)
for command in (show, update, disable, enable, revoke, delete, rotate, seal, leaked, pattern):
    app.command()(command)
