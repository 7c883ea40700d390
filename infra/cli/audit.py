"""The audit log: who changed what in an account, and whether the log is whole."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text
from typer.core import TyperGroup

from tollkeeper.application.verify_audit import AuditCheck
from tollkeeper.domain.audit import AuditEntry, AuditHead, ChainBreak, Fault
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.printed import printed
from tollkeeper.infra.cli import exits
from tollkeeper.infra.cli.documents_keys import of_audit_check, of_audit_entry, of_head
from tollkeeper.infra.cli.output import (
    Column,
    left,
    note,
    print_json,
    print_table,
    right,
    say,
    when,
    whole,
)
from tollkeeper.infra.cli.progress import counting
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_HEAD = re.compile(r"([0-9]{1,18}):((?:[0-9a-f]{2}){0,64})")
_HELP = ("-h", "--help")


class _ListsByDefault(TyperGroup):
    """Takes ``audit --account acme`` for ``audit list --account acme``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words behind ``audit``."""
        if args and args[0].startswith("-") and args[0] not in _HELP:
            args = ["list", *args]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed


app = typer.Typer(
    cls=_ListsByDefault,
    no_args_is_help=True,
    help="Show who changed what, and check that nobody changed the log.",
)


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    account: Annotated[str, typer.Option(help="Whose changes; * for those to the plans.")],
    after: Annotated[
        str | None, typer.Option(help="Begin after the entry of this id.", show_default="the first")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at most, 1-1000.")] = 100,
    as_json: Json = False,
) -> None:
    """Show who issued, rotated and revoked an account's keys, and changed its plan."""

    async def work(tk: "Tollkeeper") -> tuple[AuditEntry, ...]:
        return await tk.list_audit(account=account, after=after, limit=limit)

    entries = with_tollkeeper(load_settings(ctx), work)
    if as_json:
        print_json([of_audit_entry(entry) for entry in entries])
        return
    columns = [
        Column("#", right=True),
        *left("time (UTC)", "actor", "action"),
        *whole("subject"),
        *left("details"),
        *whole("id"),
    ]
    rows = [
        (
            "" if entry.sequence is None else entry.sequence,
            when(entry.at),
            entry.actor,
            entry.action,
            entry.subject,
            ", ".join(f"{name} {value}" for name, value in entry.details.items() if value),
            entry.id,
        )
        for entry in entries
    ]
    print_table(f"Changes in {account}", columns, rows, empty=f"nothing was changed in {account}")
    if len(entries) == limit:
        note(f"there may be more: --after {entries[-1].id}")


@app.command()
def verify(
    ctx: typer.Context,
    *,
    account: Annotated[
        str | None,
        typer.Option(
            help="Whose log; * for that of the plans and of unknown callers.", show_default="all"
        ),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="SEQUENCE:MAC",
            help="Where the account's log ended when you last looked, as this command printed it: "
            "with it, a log whose end was cut off is told too.",
        ),
    ] = None,
    unchained: Annotated[
        bool,
        typer.Option(
            "--unchained",
            help="Let entries without a MAC stand at the beginning, from before there were chains.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Follow the chain of MACs through the audit log, and show where it breaks, if it does.

    Write the heads down outside of the store. Exits with 1 if a chain breaks.
    """
    known = None if head is None else _read_head(head)
    if known is not None and account is None:
        raise InvalidRequest("--head is of one account: name its --account")

    async def work(tk: "Tollkeeper") -> list[AuditCheck]:
        with counting("following audit entries") as progress:
            if account is not None:
                check = tk.verify_audit(
                    account=account, known=known, unchained=unchained, progress=progress
                )
                return [await check]
            done: list[AuditCheck] = []

            def passed(sequence: int) -> None:
                progress(_followed(done) + sequence)

            async for each in tk.verify_audit.all(unchained=unchained, progress=passed):
                done.append(each)  # noqa: PERF401 - the bar counts what is done so far
            return done

    checks = with_tollkeeper(load_settings(ctx), work)
    whole_ = all(check.ok for check in checks)
    if as_json:
        print_json({"ok": whole_, "accounts": [of_audit_check(check) for check in checks]})
    else:
        _print(checks)
    if not whole_:
        raise typer.Exit(exits.FAULTS_FOUND)


def _read_head(text: str) -> AuditHead:
    match = _HEAD.fullmatch(text)
    if match is None:
        raise InvalidRequest("--head reads 17:9f86d0…, as `audit verify` prints it")
    return AuditHead(int(match[1]), bytes.fromhex(match[2]))


def _followed(checks: Iterable[AuditCheck]) -> int:
    return sum(check.state.head.sequence for check in checks)


def _print(checks: list[AuditCheck]) -> None:
    columns = [*whole("account"), *right("entries", "before"), *left("result"), *whole("head")]
    rows = [
        (
            check.account,
            check.state.entries,
            check.state.unchained,
            _result(check.state.fault),
            of_head(check.state.head),
        )
        for check in checks
    ]
    print_table("Audit logs", columns, rows, empty="there are no audit entries")
    broken = sum(not check.ok for check in checks)
    if broken:
        say(f"{broken} of {len(checks)} broken: somebody changed the log, or its key is missing")
        faults = (check.state.fault for check in checks)
        if any(fault is not None and fault.fault == Fault.UNKNOWN_KEY for fault in faults):
            note(
                "unknown_key: if a former audit_key or key_pepper was taken out of the settings, "
                "add it to retired_audit_keys or retired_key_peppers again"
            )
    elif checks:
        proved = sum(check.state.entries for check in checks)
        say(f"{proved} entries, all as they were written")
    before = sum(check.state.unchained for check in checks)
    if before:
        note(
            f"before: {before} entries without a MAC; nothing proves those. Where they are from "
            "before there were chains, say --unchained; else somebody took their MACs away"
        )


def _result(fault: ChainBreak | None) -> Text:
    if fault is None:
        return Text("OK", style="green")
    named = f" at {fault.entry_id}" if fault.entry_id else ""
    detail = f" ({fault.detail})" if fault.detail else ""
    return Text(printed(f"broken at {fault.sequence}: {fault.fault}{named}{detail}"), style="red")
