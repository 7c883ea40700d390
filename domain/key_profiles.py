"""What is said of a key when it is made or changed, checked."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict

from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.checks import checked_scopes, checked_text, checked_time
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.key_limits import (
    KeyLimit,
    Network,
    Quota,
    checked_limits,
    checked_networks,
)

LONGEST_DESCRIPTION = 1000
MOST_METADATA = 32
LONGEST_METADATA_KEY = 64


class KeyProfile(TypedDict, total=False):
    """What of a key may be chosen, and changed later; a field that is left out stays as it is.

    *scopes* are what it may do. *expires_at* is when it ends by itself (None: never). *limits*,
    *quota* and *networks* bound it. *metadata* is up to 32 texts of the host's own, by name.
    """

    name: str
    description: str
    scopes: Iterable[str]
    expires_at: datetime | None
    limits: Iterable[KeyLimit]
    quota: Quota | None
    networks: Iterable[str | Network]
    metadata: Mapping[str, str]


def checked_profile(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fields of a key that are *given*, as an :class:`ApiKey` holds them.

    Raises:
        InvalidRequest: one is malformed, or there is no such field.
    """
    unknown = set(given) - set(_CHECKS)
    if unknown:
        raise InvalidRequest(
            f"a key has no {', '.join(sorted(map(str, unknown)))} that can be chosen"
        )
    return {name: _CHECKS[name](value) for name, value in given.items()}


def _name(name: Any) -> str:
    return checked_text(name, field="name")


def _description(description: Any) -> str:
    return checked_text(description, field="description", longest=LONGEST_DESCRIPTION)


def _expiry(at: Any) -> datetime | None:
    return None if at is None else checked_time(at, field="expires_at")


def _quota(quota: Any) -> Quota | None:
    if quota is not None and not isinstance(quota, Quota):
        raise InvalidRequest("a key's quota is a Quota", code="invalid_quota")
    return quota


def checked_metadata(metadata: Mapping[str, str]) -> Mapping[str, str]:
    """Return *metadata*: at most 32 names of 1-64 characters, each with a printable text.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not isinstance(metadata, Mapping) or len(metadata) > MOST_METADATA:
        raise InvalidRequest(
            f"metadata maps at most {MOST_METADATA} names to texts", code="invalid_metadata"
        )
    for name, text in metadata.items():
        if not name:
            raise InvalidRequest("a name in metadata is empty", code="invalid_metadata")
        checked_text(name, field="a name in metadata", longest=LONGEST_METADATA_KEY)
        checked_text(text, field="a text in metadata")
    return dict(metadata)


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "name": _name,
    "description": _description,
    "scopes": checked_scopes,
    "expires_at": _expiry,
    "limits": checked_limits,
    "quota": _quota,
    "networks": checked_networks,
    "metadata": checked_metadata,
}


def profile_details(former: ApiKey | None, key: ApiKey) -> dict[str, str]:
    """Write for the audit what *key* was given, and what it had before where that differs.

    Metadata is the host's own, and only its names are told.
    """
    details = {}
    for name in _CHECKS:
        new = _told(name, key)
        old = None if former is None else _told(name, former)
        if former is None and new:
            details[name] = new
        elif former is not None and old != new:
            details[name] = f"{old or 'none'} -> {new or 'none'}"
    return details


def _told(name: str, key: ApiKey) -> str:
    value = getattr(key, name)
    if name == "metadata":
        return " ".join(sorted(value))
    if name == "expires_at":
        return "" if value is None else value.isoformat()
    if name == "scopes":
        return " ".join(sorted(value))
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return "" if value is None else str(value)
