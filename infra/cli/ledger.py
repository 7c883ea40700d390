"""The ledger: each grant and each charge of an account; and holds whose time is up."""

from typing import TYPE_CHECKING, Annotated

import typer

from tollkeeper.domain.ledger import Entry, Hold
from tollkeeper.infra.cli.documents import of_entry, of_hold
from tollkeeper.infra.cli.output import (
    Column,
    aligned,
    left,
    note,
    print_json,
    print_table,
    right,
    when,
    whole,
)
from tollkeeper.infra.cli.session import execute, load_settings, opened_container, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def ledger(
    ctx: typer.Context,
    *,
    account: Annotated[str, typer.Option(help="Whose ledger.")],
    currency: Annotated[
        str | None, typer.Option(help="In which currency.", show_default="of the settings")
    ] = None,
    after: Annotated[int, typer.Option(help="Begin after this number.")] = 0,
    limit: Annotated[int, typer.Option(help="How many at most, 1-1000.")] = 100,
    as_json: Json = False,
) -> None:
    """Show each grant and charge of an account, and the balance after it."""

    async def work(tk: "Tollkeeper") -> tuple[Entry, ...]:
        return await tk.list_entries(account=account, currency=currency, after=after, limit=limit)

    entries = with_tollkeeper(load_settings(ctx), work)
    if as_json:
        print_json([of_entry(entry) for entry in entries])
        return
    columns = [
        Column("#", right=True),
        *left("time (UTC)", "kind"),
        *right("held", "amount", "balance"),
        *left("description"),
    ]
    rows = zip(
        [entry.sequence for entry in entries],
        [when(entry.at) for entry in entries],
        [f"late {entry.kind}" if entry.late else entry.kind for entry in entries],
        aligned([entry.held for entry in entries]),
        aligned([entry.amount for entry in entries]),
        aligned([entry.balance_after for entry in entries]),
        [entry.description for entry in entries],
        strict=True,
    )
    empty = f"the ledger of {account} has no entries" + (f" after {after}" if after else "")
    print_table(f"Ledger of {account}", columns, rows, empty=empty)
    if len(entries) == limit:
        note(f"there may be more: --after {entries[-1].sequence}")


holds = typer.Typer(no_args_is_help=True, help="Give back holds whose time is up.")


@holds.callback()
def _holds() -> None:
    """Give back holds whose time is up."""


@holds.command()
def expire(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Give back the holds of calls whose process died, in all accounts.

    Opening a facade and placing a hold do the same; this is for looking at it, or for a timer.
    """
    settings = load_settings(ctx)

    async def work() -> tuple[Hold, ...]:
        async with opened_container(settings) as container:
            expired: tuple[Hold, ...] = await container.expire_holds()()
            return expired

    expired = execute(work)
    if as_json:
        print_json([of_hold(hold) for hold in expired])
        return
    columns = [*whole("hold", "account"), *right("amount"), *left("placed (UTC)", "expired (UTC)")]
    amounts = aligned([hold.amount for hold in expired])
    rows = [
        (hold.id, hold.account, amount, when(hold.placed_at), when(hold.expires_at))
        for hold, amount in zip(expired, amounts, strict=True)
    ]
    print_table("Holds given back", columns, rows, empty="no hold is overdue")
