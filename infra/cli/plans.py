"""Plans: what accounts may do, and who has which."""

from typing import TYPE_CHECKING, Annotated

import typer

from tollkeeper.domain.checks import checked_text
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.plans import Plan, Subscription
from tollkeeper.domain.rate_limits import RateLimit
from tollkeeper.infra.cli.documents import of_plan, of_subscription
from tollkeeper.infra.cli.keys import ACTOR
from tollkeeper.infra.cli.output import left, print_json, print_table, right, say, when
from tollkeeper.infra.cli.reading import read_duration
from tollkeeper.infra.cli.session import execute, load_settings, opened_container, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper

app = typer.Typer(no_args_is_help=True, help="Define plans, and give them to accounts.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List all plans."""
    settings = load_settings(ctx)

    async def work() -> tuple[Plan, ...]:
        async with opened_container(settings) as container:
            plans: tuple[Plan, ...] = await container.plan_store().plans()
            return plans

    found = execute(work)
    if as_json:
        print_json([of_plan(plan) for plan in found])
        return
    columns = [*left("plan", "models", "operations"), *right("rate limit", "markup", "most tokens")]
    rows = [
        (
            plan.name,
            " ".join(plan.models),
            " ".join(plan.operations),
            plan.rate_limit or "none",
            f"{plan.markup_bps / 100:g} %",
            plan.max_output_tokens or "no limit",
        )
        for plan in found
    ]
    empty = "there are no plans; accounts without one may call every model that has a price"
    print_table("Plans", columns, rows, empty=empty)


def _patterns(given: list[str], *, option: str) -> tuple[str, ...]:
    for pattern in given:
        if not checked_text(pattern, field=option).strip() or " " in pattern:
            raise InvalidRequest(f"{option} takes one pattern at a time, such as offline/*")
    return tuple(given)


@app.command()
def define(
    ctx: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="The plan's name.")],
    models: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="The models it includes, such as 'offline/*'; may be given again.",
            show_default="*",
        ),
    ] = None,
    operations: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="What it includes, such as 'chat:*'; may be given again.",
            show_default="*",
        ),
    ] = None,
    rate_limit: Annotated[
        str | None,
        typer.Option(metavar="N/PERIOD", help="Calls of the whole account, such as 60/minute."),
    ] = None,
    markup_bps: Annotated[
        int, typer.Option(help="Added to each price, in basis points: 100 is one per cent.")
    ] = 0,
    max_output_tokens: Annotated[
        int | None, typer.Option(help="The most tokens that one call may write.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Define a plan, in the place of one of that name; it holds from the next call on."""
    plan = Plan(
        name=name,
        models=_patterns(models or ["*"], option="--models"),
        operations=_patterns(operations or ["*"], option="--operations"),
        rate_limit=None if rate_limit is None else RateLimit.parse(rate_limit),
        markup_bps=markup_bps,
        max_output_tokens=max_output_tokens,
    )

    async def work(tk: "Tollkeeper") -> Plan:
        return await tk.define_plan(plan, actor=ACTOR)

    defined = with_tollkeeper(load_settings(ctx), work)
    if as_json:
        print_json(of_plan(defined))
    else:
        say(f"defined the plan {defined.name}")


@app.command()
def subscribe(
    ctx: typer.Context,
    *,
    account: Annotated[str, typer.Option(help="Who gets the plan.")],
    plan: Annotated[str, typer.Option(help="The plan's name.")],
    runs_for: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="For how long, such as 30d.", show_default="no end"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Give an account a plan, from now on, in the place of the one it has."""
    lasts = read_duration(runs_for, option="--runs-for")

    async def work(tk: "Tollkeeper") -> Subscription:
        return await tk.subscribe_account(account=account, plan=plan, runs_for=lasts, actor=ACTOR)

    given = with_tollkeeper(load_settings(ctx), work)
    if as_json:
        print_json(of_subscription(given))
    else:
        until = f" until {when(given.ends_at)} UTC" if given.ends_at else ""
        say(f"{given.account} has the plan {given.plan}{until}")
