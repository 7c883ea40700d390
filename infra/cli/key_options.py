"""What the commands of keys have in common: their options, and how these are read."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import typer

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.key_limits import KeyLimit, Quota, checked_networks
from tollkeeper.domain.key_profiles import KeyProfile
from tollkeeper.infra.cli.reading import read_duration, read_time

T = TypeVar("T")

ACTOR = "command line"
"""Who the audit log says it was."""
Account = Annotated[str, typer.Option("--account", help="Whose key it is: the account that pays.")]
KeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="The key's id, from `keys list`.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Description = Annotated[str | None, typer.Option(help="What it is for, in up to 1000 characters.")]
Limits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="N/PERIOD[:POLICY]",
        help="Calls in a time, such as 60/minute; may be given again. :closed (the default), "
        ":local or :open says what becomes of it while the rate limiter is away.",
    ),
]
QuotaOption = Annotated[
    str | None,
    typer.Option("--quota", metavar="N/PERIOD", help="Calls in a day or month, as 10000/month."),
]
Networks = Annotated[
    list[str] | None,
    typer.Option(
        "--network",
        metavar="CIDR",
        help="It works from there alone, such as 203.0.113.0/24; may be given again.",
    ),
]
Metadata = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="A text of your own; may be given again."),
]
ExpiresIn = Annotated[
    str | None, typer.Option(metavar="DURATION", help="How long it works, such as 30d.")
]
ExpiresAt = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="When it ends, such as 2027-01-31T12:00:00Z (UTC)."),
]


def profile_of(
    *,
    name: str | None = None,
    description: str | None = None,
    scopes: Sequence[str] | None = None,
    limits: Sequence[str] | None = None,
    quota: str | None = None,
    networks: Sequence[str] | None = None,
    metadata: Sequence[str] | None = None,
    expires_in: str | None = None,
    expires_at: str | None = None,
) -> KeyProfile:
    """Read those fields of a key that were given.

    Raises:
        InvalidRequest: one is malformed; the text names its option.
    """
    profile: KeyProfile = {}
    if name is not None:
        profile["name"] = name
    if description is not None:
        profile["description"] = description
    if scopes:
        profile["scopes"] = set(scopes)
    if limits:
        profile["limits"] = [_read(KeyLimit.parse, each, option="--limit") for each in limits]
    if quota is not None:
        profile["quota"] = _read(Quota.parse, quota, option="--quota")
    if networks:
        profile["networks"] = _read(checked_networks, list(networks), option="--network")
    if metadata:
        profile["metadata"] = read_pairs(metadata, option="--metadata")
    end = read_end(expires_in, expires_at)
    if end is not None:
        profile["expires_at"] = end
    return profile


def read_end(expires_in: str | None, expires_at: str | None) -> datetime | None:
    """Read when a key ends, which is said either way, or not at all.

    Raises:
        InvalidRequest: one is malformed, or both are given.
    """
    if expires_in is not None and expires_at is not None:
        raise InvalidRequest("give --expires-in or --expires-at, not both")
    lasts = read_duration(expires_in, option="--expires-in")
    if lasts is None:
        return read_time(expires_at, option="--expires-at")
    if lasts < timedelta(seconds=1):
        raise InvalidRequest("--expires-in: a key works for a second at least")
    return datetime.now(UTC) + lasts


def read_pairs(texts: Sequence[str], *, option: str) -> dict[str, str]:
    """Read ``team=search`` and the like.

    Raises:
        InvalidRequest: one has no ``=``, or a name stands in two.
    """
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidRequest(f"{option} takes NAME=VALUE, such as team=search")
        if name in pairs:
            raise InvalidRequest(f"{option}: {name} is given twice")
        pairs[name] = value
    return pairs


def _read(read: Callable[[str], T] | Callable[[list[str]], T], given: object, *, option: str) -> T:
    try:
        return read(given)  # type: ignore[arg-type]  # each caller gives what its reader takes
    except InvalidRequest as error:
        raise InvalidRequest(f"{option}: {error.public_message}", code=error.code) from None
