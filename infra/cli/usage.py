"""What an account used and paid, and what it has left."""

from typing import TYPE_CHECKING, Annotated

import typer

from tollkeeper.domain.meters import Meter
from tollkeeper.domain.usage import UsageReport
from tollkeeper.infra.cli.documents import of_report
from tollkeeper.infra.cli.output import aligned, left, print_json, print_table, right, say
from tollkeeper.infra.cli.reading import read_time
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper


def print_report(report: UsageReport) -> None:
    """Print the table, and the balances under it."""
    columns = [*left("operation", "model", "meter"), *right("calls", "quantity", "charge")]
    charges = aligned([total.charge for total in report.totals])
    rows = [
        (
            total.operation,
            total.model,
            str(total.meter).replace("_", " "),
            f"{total.events:,}",
            f"{'≈' if total.estimated else ''}{total.quantity:,}",
            charge,
        )
        for total, charge in zip(report.totals, charges, strict=True)
    ]
    empty = f"{report.account} used nothing in that time"
    print_table(f"Usage of {report.account}", columns, rows, empty=empty)
    if any(total.estimated for total in report.totals):
        say("≈ is an estimate, at least in part: the provider did not say how much it was")
    cached = sum(t.quantity for t in report.totals if t.meter is Meter.CACHED_ANSWERS)
    if cached:
        say(f"{cached:,} answers came from the response cache, at no charge")
    for charge in report.charges:
        say(f"charged {charge}")
    for balance in report.balances:
        say(f"balance {balance.posted}: {balance.available} available, {balance.held} held")


def usage(
    ctx: typer.Context,
    *,
    account: Annotated[str, typer.Option(help="Whose usage.")],
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="From then on, such as 2026-11-01 (UTC)."),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Until before then.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what an account used and paid, and what it has left."""
    first = read_time(since, option="--since")
    end = read_time(until, option="--until")

    async def work(tk: "Tollkeeper") -> UsageReport:
        return await tk.report_usage(account=account, since=first, until=end)

    report = with_tollkeeper(load_settings(ctx), work)
    if as_json:
        print_json(of_report(report))
    else:
        print_report(report)
