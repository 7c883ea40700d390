"""The audit log: who changed what in an account."""

from typing import TYPE_CHECKING, Annotated

import typer

from tollkeeper.domain.audit import AuditEntry
from tollkeeper.infra.cli.documents import of_audit_entry
from tollkeeper.infra.cli.output import left, note, print_json, print_table, when
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper


def audit(
    ctx: typer.Context,
    *,
    account: Annotated[str, typer.Option(help="Whose changes; * for those to the plans.")],
    after: Annotated[
        str | None, typer.Option(help="Begin after the entry of this id.", show_default="the first")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at most, 1-1000.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show who issued, rotated and revoked an account's keys, and changed its plan."""

    async def work(tk: "Tollkeeper") -> tuple[AuditEntry, ...]:
        return await tk.list_audit(account=account, after=after, limit=limit)

    entries = with_tollkeeper(load_settings(ctx), work)
    if as_json:
        print_json([of_audit_entry(entry) for entry in entries])
        return
    columns = left("id", "time (UTC)", "actor", "action", "subject", "details")
    rows = [
        (
            entry.id,
            when(entry.at),
            entry.actor,
            entry.action,
            entry.subject,
            ", ".join(f"{name} {value}" for name, value in entry.details.items()),
        )
        for entry in entries
    ]
    print_table(f"Changes in {account}", columns, rows, empty=f"nothing was changed in {account}")
    if len(entries) == limit:
        note(f"there may be more: --after {entries[-1].id}")
