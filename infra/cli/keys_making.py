"""Commands that make a token: issue and rotate a key. It is printed once, and kept nowhere."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tollkeeper.domain.api_keys import IssuedKey
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.infra.cli.documents_keys import of_key
from tollkeeper.infra.cli.key_options import (
    ACTOR,
    Account,
    Description,
    ExpiresAt,
    ExpiresIn,
    Json,
    KeyId,
    Limits,
    Metadata,
    Networks,
    QuotaOption,
    profile_of,
)
from tollkeeper.infra.cli.output import note, print_json, when, write
from tollkeeper.infra.cli.reading import read_duration
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper

_USUAL_OVERLAP = timedelta(hours=24)


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


def issue(
    ctx: typer.Context,
    *,
    account: Account,
    scope: Annotated[
        list[str],
        typer.Option(help="What it may do, such as chat:complete; may be given again."),
    ],
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    description: Description = None,
    limits: Limits = None,
    quota: QuotaOption = None,
    networks: Networks = None,
    metadata: Metadata = None,
    expires_in: ExpiresIn = None,
    expires_at: ExpiresAt = None,
    as_json: Json = False,
) -> None:
    """Issue a key; its token is printed this once, alone on standard output."""
    profile = profile_of(
        name=name,
        description=description,
        scopes=scope,
        limits=limits,
        quota=quota,
        networks=networks,
        metadata=metadata,
        expires_in=expires_in,
        expires_at=expires_at,
    )

    async def work(tk: "Tollkeeper") -> IssuedKey:
        issued = await tk.issue_key(account=account, actor=ACTOR, **profile)
        await _hand_over(tk, issued, as_json=as_json)
        return issued

    key = with_tollkeeper(load_settings(ctx), work).key
    until = f", until {when(key.expires_at)} UTC" if key.expires_at else ""
    note(
        f"issued {key.id} ({key.display}) to {key.account} for {', '.join(sorted(key.scopes))}"
        f"{until}; the token is shown this once, so keep it now"
    )


def rotate(
    ctx: typer.Context,
    key_id: KeyId,
    *,
    account: Account,
    overlap: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="How long the old token works on: 0s to 7d.",
            show_default="24h",
        ),
    ] = None,
    compromised: Annotated[
        bool, typer.Option("--compromised", help="It has leaked: the old token ends now.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Give a key a new token, printed this once; the old one works for an overlap.

    The old token never works longer than it would have. Limits and quota stay the key's.
    """
    lasts = read_duration(overlap, option="--overlap")
    if compromised and lasts:
        raise InvalidRequest("--compromised ends the old token now, so it takes no --overlap")
    lasts = _USUAL_OVERLAP if lasts is None else lasts

    async def work(tk: "Tollkeeper") -> IssuedKey:
        issued = await tk.rotate_key(
            account=account, key_id=key_id, overlap=lasts, compromised=compromised, actor=ACTOR
        )
        await _hand_over(tk, issued, as_json=as_json)
        return issued

    key = with_tollkeeper(load_settings(ctx), work).key
    old = (
        "the old one is refused from now on"
        if compromised
        else f"the old one works until {when(key.secrets[-1].not_after)} UTC"
    )
    note(f"rotated {key.id}: the token above ({key.display}) is shown this once; {old}")
