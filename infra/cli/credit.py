"""Credit: what an account may spend."""

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tollkeeper.domain.ledger import Entry
from tollkeeper.domain.money import Money
from tollkeeper.infra.cli.documents import of_entry
from tollkeeper.infra.cli.output import print_json, say, when
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper

app = typer.Typer(no_args_is_help=True, help="Give accounts credit.")


@app.callback()
def _credit() -> None:
    """Give accounts credit."""


@app.command()
def grant(
    ctx: typer.Context,
    *,
    account: Annotated[str, typer.Option(help="Who gets it.")],
    amount: Annotated[str, typer.Option(metavar="AMOUNT", help="How much, such as 5.00.")],
    currency: Annotated[
        str | None, typer.Option(help="In which currency.", show_default="of the settings")
    ] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Names this grant: given again, it changes nothing. Made up if left out.",
        ),
    ] = None,
    description: Annotated[str, typer.Option(help="Why, for the ledger.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Add to what an account may spend, once for each idempotency key."""
    settings = load_settings(ctx)
    money = Money.of(amount, currency or settings.currency)
    key = idempotency_key if idempotency_key is not None else f"cli-{uuid.uuid4().hex}"
    started = datetime.now(UTC)

    async def work(tk: "Tollkeeper") -> Entry:
        return await tk.grant_credit(
            account=account, amount=money, idempotency_key=key, description=description
        )

    entry = with_tollkeeper(settings, work)
    if as_json:
        print_json(of_entry(entry))
    elif entry.at < started:
        say(
            f"{entry.amount} was granted to {account} before, at {when(entry.at)} UTC under the "
            f"idempotency key {key}; nothing changed"
        )
    else:
        say(
            f"granted {entry.amount} to {account}; balance {entry.balance_after} "
            f"(idempotency key {key})"
        )
