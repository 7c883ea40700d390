"""The attempts: every request that went to a provider, and who pays for it."""

from typing import TYPE_CHECKING, Annotated

import typer

from tollkeeper.domain.attempts import Attempt, Billed, Settlement
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.infra.cli.documents import of_attempt
from tollkeeper.infra.cli.output import (
    aligned,
    left,
    note,
    print_json,
    print_table,
    right,
    say,
    when,
    whole,
)
from tollkeeper.infra.cli.reading import read_time
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper

_PAYERS = {
    Settlement.CHARGED: "the account",
    Settlement.WRITTEN_OFF: "the host",
    Settlement.NOTHING: "nobody",
}


def attempts(
    ctx: typer.Context,
    *,
    account: Annotated[str, typer.Option(help="Whose calls.")],
    call: Annotated[
        str | None, typer.Option(metavar="ID", help="Of this call alone.", show_default="all")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="From then on, such as 2026-11-01 (UTC)."),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Until before then.")] = None,
    after: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Begin after this attempt.", show_default="the first"),
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at most, 1-1000.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show each request that an account's calls made: what became of it, and who pays for it."""
    first = read_time(since, option="--since")
    end = read_time(until, option="--until")
    if first is not None and end is not None and end <= first:
        raise InvalidRequest("--until must be after --since")

    async def work(tk: "Tollkeeper") -> tuple[Attempt, ...]:
        return await tk.list_attempts(
            account=account, call_id=call, since=first, until=end, limit=limit, after=after
        )

    found = with_tollkeeper(load_settings(ctx), work)
    if as_json:
        print_json([of_attempt(attempt) for attempt in found])
        return
    print_attempts(f"Requests to providers for {account}", found)
    if len(found) == limit:
        note(f"there may be more: --after {found[-1].id}")


def print_attempts(title: str, found: tuple[Attempt, ...]) -> None:
    """Print the table, and what its marks mean."""
    columns = [
        *left("started (UTC)"),
        *whole("call"),
        *right("#"),
        *left("provider", "model", "key", "outcome", "billed", "who pays"),
        *right("cost"),
        *left("error"),
        *right("seconds"),
    ]
    rows = [
        (
            when(attempt.started_at),
            attempt.call_id,
            attempt.number,
            attempt.provider,
            attempt.model,
            attempt.credential,
            attempt.outcome,
            attempt.billed,
            _PAYERS[attempt.settlement],
            cost,
            attempt.error,
            f"{attempt.lasted.total_seconds():.2f}",
        )
        for attempt, cost in zip(found, aligned([each.cost for each in found]), strict=True)
    ]
    print_table(title, columns, rows, empty="nothing was asked of a provider")
    if any(attempt.billed is Billed.UNKNOWN for attempt in found):
        say("billed unknown: the request was sent, and the provider did not say what it used")
