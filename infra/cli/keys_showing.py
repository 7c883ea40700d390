"""Commands that show keys, never their tokens."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tollkeeper.domain.api_keys import ApiKey, KeyState
from tollkeeper.domain.key_limits import QuotaUse
from tollkeeper.domain.key_tokens import display_prefix
from tollkeeper.infra.cli.documents_keys import of_key, of_quota_use
from tollkeeper.infra.cli.key_options import Account, Json, KeyId
from tollkeeper.infra.cli.output import left, note, print_json, print_table, when, whole
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper


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
        *left("name", "scopes", "state", "limits", "quota"),
        *left("created (UTC)", "last used", "expires"),
    ]
    rows = [
        (
            key.id,
            key.display,
            key.name,
            " ".join(sorted(key.scopes)),
            state_of(key, now),
            " ".join(map(str, key.limits)) or "none",
            key.quota or "none",
            when(key.created_at),
            when(key.last_used_at) or "never",
            when(key.expires_at) or "never",
        )
        for key in found
    ]
    print_table(f"Keys of {account}", columns, rows, empty=f"{account} has no keys")
    if len(found) == limit:
        note(f"there may be more: --after {found[-1].id}")


def state_of(key: ApiKey, now: datetime) -> str:
    """Say where *key* stands, and whether its former token works still."""
    state = key.state(now)
    old = key.secrets[-1].not_after if len(key.secrets) > 1 else None
    if state is KeyState.ACTIVE and old is not None and old > now:
        return f"{state}; the old token works until {when(old)}"
    return str(state)


def show(ctx: typer.Context, key_id: KeyId, *, account: Account, as_json: Json = False) -> None:
    """Show all that is known of a key, and what it used of its quota."""

    async def work(tk: "Tollkeeper") -> tuple[ApiKey, QuotaUse | None]:
        key = await tk.get_key(account=account, key_id=key_id)
        if key.quota is None:
            return key, None
        return key, await tk.get_key.quota_use(account=account, key_id=key_id)

    key, use = with_tollkeeper(load_settings(ctx), work)
    now = datetime.now(UTC)
    if as_json:
        print_json({**of_key(key, at=now), "quota_use": of_quota_use(key, use)})
        return
    rows = [(name, value) for name, value in _fields(key, use, now) if value]
    print_table(f"Key {key.id}", left("field", "value"), rows, empty="")


def _fields(key: ApiKey, use: QuotaUse | None, now: datetime) -> Iterator[tuple[str, object]]:
    """Go through what is known of *key*, by name; what is not said is empty."""
    yield "account", key.account
    yield "key", key.display
    yield "name", key.name
    yield "description", key.description
    yield "scopes", " ".join(sorted(key.scopes))
    yield "state", state_of(key, now)
    yield "created (UTC)", when(key.created_at)
    yield "last used", when(key.last_used_at) or "never"
    yield "expires", when(key.expires_at) or "never"
    yield "disabled", when(key.disabled_at)
    yield "revoked", when(key.revoked_at)
    for limit in key.limits:
        yield "limit", limit
    if key.quota is not None and use is not None:
        end = when(key.quota.ends(use.since))
        yield "quota", f"{key.quota}; {use.used} used, the next period begins {end}"
    yield "networks", " ".join(map(str, key.networks)) or "everywhere"
    for name, text in key.metadata.items():
        yield "metadata", f"{name}={text}"
    for secret in key.secrets:
        until = f" until {when(secret.not_after)}" if secret.not_after else ""
        begins = f"{display_prefix(key.prefix, secret.kid)} works from {when(secret.not_before)}"
        yield "token", f"{begins}{until}, under the pepper {secret.pepper_id}"
    yield "seal", "none" if key.seal is None else f"under the pepper {key.seal.pepper_id}"
