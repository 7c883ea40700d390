"""API keys: issue, list, revoke, rotate."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tollkeeper.domain.api_keys import ApiKey, IssuedKey, KeyState
from tollkeeper.infra.cli.documents import of_key
from tollkeeper.infra.cli.output import left, note, print_json, print_table, say, when, whole, write
from tollkeeper.infra.cli.reading import read_duration
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper

app = typer.Typer(no_args_is_help=True, help="Issue, list, revoke and rotate API keys.")

ACTOR = "command line"
"""Who the audit log says it was."""
Account = Annotated[str, typer.Option("--account", help="Whose key it is: the account that pays.")]
KeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="The key's id, from `keys list`.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


async def _hand_over(tk: "Tollkeeper", issued: IssuedKey, *, as_json: bool) -> None:
    """Print the one token; a key whose token nobody got is revoked, for it can never be used."""
    token, key = issued.token.reveal(), issued.key
    try:
        if as_json:
            print_json({"token": token, "key": of_key(key, at=datetime.now(UTC))})
        else:
            write(f"{token}\n")
    except OSError:
        if len(key.secrets) == 1:
            await tk.revoke_key(account=key.account, key_id=key.id, actor=ACTOR)
        raise


@app.command()
def issue(
    ctx: typer.Context,
    *,
    account: Account,
    scope: Annotated[
        list[str],
        typer.Option(help="What it may do, such as chat:complete; may be given again."),
    ],
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    expires_in: Annotated[
        str | None, typer.Option(metavar="DURATION", help="How long it works, such as 30d.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Issue a key; its token is printed this once, alone on standard output."""
    lives = read_duration(expires_in, option="--expires-in")

    async def work(tk: "Tollkeeper") -> IssuedKey:
        issued = await tk.issue_key(
            account=account, scopes=set(scope), name=name, expires_in=lives, actor=ACTOR
        )
        await _hand_over(tk, issued, as_json=as_json)
        return issued

    key = with_tollkeeper(load_settings(ctx), work).key
    until = f", until {when(key.expires_at)} UTC" if key.expires_at else ""
    note(
        f"issued {key.id} ({key.display}) to {key.account} for {', '.join(sorted(key.scopes))}"
        f"{until}; the token is shown this once, so keep it now"
    )


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    account: Account,
    limit: Annotated[int, typer.Option(help="How many at most, 1-1000.")] = 100,
    after: Annotated[
        str | None, typer.Option(metavar="KEY_ID", help="Begin after this key.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List an account's keys, oldest first; tokens are never shown."""

    async def work(tk: "Tollkeeper") -> tuple[ApiKey, ...]:
        return await tk.list_keys(account=account, limit=limit, after=after)

    found = with_tollkeeper(load_settings(ctx), work)
    now = datetime.now(UTC)
    if as_json:
        print_json([of_key(key, at=now) for key in found])
        return
    columns = [
        *whole("id", "key"),
        *left("name", "scopes", "state", "created (UTC)", "last used", "expires"),
    ]
    rows = [
        (
            key.id,
            key.display,
            key.name,
            " ".join(sorted(key.scopes)),
            _state(key, now),
            when(key.created_at),
            when(key.last_used_at) or "never",
            when(key.expires_at) or "never",
        )
        for key in found
    ]
    print_table(f"Keys of {account}", columns, rows, empty=f"{account} has no keys")
    if len(found) == limit:
        note(f"there may be more: --after {found[-1].id}")


def _state(key: ApiKey, now: datetime) -> str:
    state = key.state(now)
    old = key.secrets[-1].not_after if len(key.secrets) > 1 else None
    if state is KeyState.ACTIVE and old is not None and old > now:
        return f"{state}; the old token works until {when(old)}"
    return str(state)


@app.command()
def revoke(ctx: typer.Context, key_id: KeyId, *, account: Account, as_json: Json = False) -> None:
    """End a key for good; from then on it is refused everywhere."""

    async def work(tk: "Tollkeeper") -> ApiKey:
        return await tk.revoke_key(account=account, key_id=key_id, actor=ACTOR)

    key = with_tollkeeper(load_settings(ctx), work)
    if as_json:
        print_json(of_key(key, at=datetime.now(UTC)))
    else:
        say(f"revoked {key.id} ({key.display}) at {when(key.revoked_at)} UTC")


@app.command()
def rotate(
    ctx: typer.Context,
    key_id: KeyId,
    *,
    account: Account,
    overlap: Annotated[
        str,
        typer.Option(metavar="DURATION", help="How long the old token works on: 0s to 7d."),
    ] = "24h",
    as_json: Json = False,
) -> None:
    """Give a key a new token, printed this once; the old one works for an overlap.

    For a key that has leaked, say --overlap 0s.
    """
    lasts = read_duration(overlap, option="--overlap") or timedelta(0)

    async def work(tk: "Tollkeeper") -> IssuedKey:
        issued = await tk.rotate_key(account=account, key_id=key_id, overlap=lasts, actor=ACTOR)
        await _hand_over(tk, issued, as_json=as_json)
        return issued

    key = with_tollkeeper(load_settings(ctx), work).key
    note(
        f"rotated {key.id}: the token above ({key.display}) is shown this once; the old one "
        f"works until {when(key.secrets[-1].not_after)} UTC"
    )
