"""The command that seals keys: those from before keys were sealed, and under a new pepper."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tollkeeper.application.seal_keys import SealReport
from tollkeeper.infra.cli import exits
from tollkeeper.infra.cli.documents_keys import of_seal_report
from tollkeeper.infra.cli.key_options import ACTOR, Json
from tollkeeper.infra.cli.output import note, print_json, print_table, right, say, whole
from tollkeeper.infra.cli.progress import counting
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper

_MOST_NAMED = 10
_AUDIT = (
    "without it, entries of the audit log from its time are proved no more, unless audit_key was "
    "set then"
)


def seal(
    ctx: typer.Context,
    *,
    unsealed: Annotated[
        bool,
        typer.Option(
            "--unsealed",
            help="Also those without a seal, from before keys were sealed. Without one a key is "
            "refused, for somebody may have taken its seal away: look at them first.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Seal the keys of all accounts under the current pepper; may be broken off and run again.

    Shows how many secrets hang on which pepper: no key needs a retired one on which none hangs.
    Exits with 1 if a key's record is not as it was sealed, or its pepper is not configured.
    """

    async def work(tk: "Tollkeeper") -> tuple[SealReport, str]:
        with counting("sealing keys") as progress:
            report = await seal_all(tk, unsealed=unsealed, progress=progress)
        return report, tk.seal_keys.mint.peppers.current().id

    settings = load_settings(ctx)
    report, current = with_tollkeeper(settings, work)
    if as_json:
        print_json(of_seal_report(report, current=current))
    else:
        print_seals(report, current=current, retired=bool(settings.retired_key_peppers))
    if report.tampered or report.missing:
        raise typer.Exit(exits.FAULTS_FOUND)


async def seal_all(
    tk: "Tollkeeper", *, unsealed: bool, progress: Callable[[int], None]
) -> SealReport:
    """Seal all keys of *tk* under its current pepper."""
    return await tk.seal_keys(unsealed=unsealed, actor=ACTOR, progress=progress)


def print_seals(report: SealReport, *, current: str, retired: bool) -> None:
    """Print what became of the keys, and on which peppers their secrets hang.

    *retired* is whether the settings have retired peppers.
    """
    keys = "1 key" if report.keys == 1 else f"{report.keys} keys"
    say(
        f"{keys}: {report.sealed} sealed that had no seal, {report.renewed} sealed anew under the "
        f"current pepper, {len(report.tampered)} left alone"
    )
    states = {current: Text("current", style="green")}
    states |= dict.fromkeys(report.missing, Text("not configured", style="red"))
    rows = [
        (pepper, states.get(pepper, "retired"), number)
        for pepper, number in sorted(report.under.items(), key=lambda each: each[0] != current)
    ]
    columns = [*whole("pepper", "state"), *right("secrets")]
    print_table("What hangs on which pepper", columns, rows, empty="there are no keys")
    if report.missing:
        note(
            f"refused, since their pepper is not configured: the secrets under "
            f"{', '.join(report.missing)}; add it to retired_key_peppers"
        )
    if set(report.under) - {current, *report.missing}:
        note(
            "a secret moves to the current pepper when its key is next used; no key needs a "
            f"retired pepper that is not in this table; {_AUDIT}"
        )
    elif retired:
        note(f"no key needs the retired peppers, and they may be taken out; {_AUDIT}")
    if report.tampered:
        named = ", ".join(report.tampered[:_MOST_NAMED])
        more = len(report.tampered) - _MOST_NAMED
        note(
            f"left alone: {named}{f' and {more} more' if more > 0 else ''}; they have no seal "
            "(`tollkeeper keys seal --unsealed` seals those), were sealed under a pepper that is "
            "not configured, or were changed behind Tollkeeper's back: revoke those"
        )
