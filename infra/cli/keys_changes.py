"""Commands that change a key and leave its token: update, disable, enable, revoke, delete."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.key_profiles import KeyProfile
from tollkeeper.infra.cli import exits
from tollkeeper.infra.cli.confirming import confirmed
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
from tollkeeper.infra.cli.output import note, print_json, say, when
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper

T = TypeVar("T")


def update(
    ctx: typer.Context,
    key_id: KeyId,
    *,
    account: Account,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it may do from now on; may be given again."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    description: Description = None,
    limits: Limits = None,
    no_limits: Annotated[bool, typer.Option("--no-limits", help="Take its limits away.")] = False,
    quota: QuotaOption = None,
    no_quota: Annotated[bool, typer.Option("--no-quota", help="Take its quota away.")] = False,
    networks: Networks = None,
    no_networks: Annotated[
        bool, typer.Option("--no-networks", help="Let it work from everywhere.")
    ] = False,
    metadata: Metadata = None,
    no_metadata: Annotated[
        bool, typer.Option("--no-metadata", help="Take its metadata away.")
    ] = False,
    expires_in: ExpiresIn = None,
    expires_at: ExpiresAt = None,
    never_expires: Annotated[
        bool, typer.Option("--never-expires", help="Let it work until it is revoked.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Change what a key may do; its token stays, and what is left out stays as it is.

    An option that may be given again replaces all that the key has of it.
    """
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
    if no_limits:
        profile["limits"] = _cleared("--limit", "--no-limits", limits, [])
    if no_quota:
        profile["quota"] = _cleared("--quota", "--no-quota", quota, None)
    if no_networks:
        profile["networks"] = _cleared("--network", "--no-networks", networks, [])
    if no_metadata:
        profile["metadata"] = _cleared("--metadata", "--no-metadata", metadata, {})
    if never_expires:
        end = expires_in or expires_at
        profile["expires_at"] = _cleared("an end", "--never-expires", end, None)
    if not profile:
        raise InvalidRequest("nothing is to be changed; see `tollkeeper keys update --help`")
    key = _apply(ctx, lambda tk: _update(tk, account, key_id, profile), as_json=as_json)
    if not as_json:
        say(f"updated {key.id} ({key.display}); it holds everywhere from now on")


async def _update(tk: "Tollkeeper", account: str, key_id: str, profile: KeyProfile) -> ApiKey:
    return await tk.update_key(account=account, key_id=key_id, actor=ACTOR, **profile)


def _cleared(option: str, clearing: str, given: object, nothing: T) -> T:
    if given:
        raise InvalidRequest(f"give {option} or {clearing}, not both")
    return nothing


def _apply(
    ctx: typer.Context,
    change: "Callable[[Tollkeeper], Awaitable[ApiKey]]",
    *,
    as_json: bool,
) -> ApiKey:
    key = with_tollkeeper(load_settings(ctx), change)
    if as_json:
        print_json(of_key(key, at=datetime.now(UTC)))
    return key


def disable(ctx: typer.Context, key_id: KeyId, *, account: Account, as_json: Json = False) -> None:
    """Let a key rest: it is refused everywhere until it is enabled."""
    key = _apply(
        ctx,
        lambda tk: tk.disable_key(account=account, key_id=key_id, actor=ACTOR),
        as_json=as_json,
    )
    if not as_json:
        say(f"disabled {key.id} ({key.display}) at {when(key.disabled_at)} UTC")


def enable(ctx: typer.Context, key_id: KeyId, *, account: Account, as_json: Json = False) -> None:
    """Let a key work again that was disabled."""
    key = _apply(
        ctx,
        lambda tk: tk.enable_key(account=account, key_id=key_id, actor=ACTOR),
        as_json=as_json,
    )
    if not as_json:
        say(f"enabled {key.id} ({key.display})")


def revoke(ctx: typer.Context, key_id: KeyId, *, account: Account, as_json: Json = False) -> None:
    """End a key for good; from then on it is refused everywhere."""
    key = _apply(
        ctx,
        lambda tk: tk.revoke_key(account=account, key_id=key_id, actor=ACTOR),
        as_json=as_json,
    )
    if not as_json:
        say(f"revoked {key.id} ({key.display}) at {when(key.revoked_at)} UTC")


def delete(
    ctx: typer.Context,
    key_id: KeyId,
    *,
    account: Account,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """End a key and forget it; what it did stays in the audit log and in the usage.

    Asks before, unless --yes is given. To keep its record, revoke it.
    """
    if not yes and not confirmed(f"Delete {key_id} for good?", what="a deleted key"):
        note(f"{key_id} was not deleted")
        raise typer.Exit(exits.FAULTS_FOUND)
    key = _apply(
        ctx,
        lambda tk: tk.delete_key(account=account, key_id=key_id, actor=ACTOR),
        as_json=as_json,
    )
    if not as_json:
        say(f"deleted {key.id} ({key.display})")
