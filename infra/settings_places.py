"""Where the key of a provider would be sent: to one origin, unless the settings allow for more."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tollkeeper.infra.settings import Settings

KEYED = ("chat_models", "embedders", "transcribers")
"""The tables whose adapters are given the key in ``api_keys``."""
POOLED = ("chat_models", "embedders")
"""Those whose calls draw keys from pools."""
_PORTS = {"https": 443, "http": 80}


def origin_of(url: str) -> str:
    """Return scheme, host and port of the place that *url* names; empty if it names no host.

    What stands before a ``+`` in the scheme names the adapter, not the place.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""  # its adapter says what is wrong with it
    scheme = parts.scheme.rpartition("+")[2]
    port = port or _PORTS.get(scheme)
    if not host:
        return ""
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}"


def place_faults(settings: "Settings") -> Iterator[str]:
    """List the keys that would be sent to two origins, and what is wrong with ``shared_keys``."""
    for field, tables in (("api_keys", KEYED), ("key_pools", POOLED)):
        for name in getattr(settings, field):
            urls = {table: getattr(settings, table).get(name, "") for table in tables}
            places = {table: place for table, url in urls.items() if (place := origin_of(url))}
            if len(set(places.values())) > 1 and name not in settings.shared_keys:
                where = " and ".join(f"{place} ({table})" for table, place in places.items())
                yield f"{field}.{name} would be sent to {where}: {remedy(name)}"
    for name in settings.shared_keys:
        if name not in settings.api_keys and name not in settings.key_pools:
            yield f"shared_keys: {name} has no key in api_keys or key_pools"


def remedy(provider: str) -> str:
    """Say what to do about a key that would be sent to two origins."""
    return (
        "call one of them by another name, with a key of its own; or list "
        f"{provider} in shared_keys if both may see the key"
    )


def assumed(table: str, known: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, str]:
    """Return those of *known* URLs to which *table* may default without sending a key elsewhere.

    *values* are what the settings say; a provider that another table puts elsewhere is left out.
    """
    shared, single = values.get("shared_keys", ()), values.get("api_keys", {})
    found = {}
    for name, url in known.items():
        tables = KEYED if name in single else POOLED
        others = [values.get(other, {}).get(name, "") for other in tables if other != table]
        if name in shared or all(origin_of(other) in ("", origin_of(url)) for other in others):
            found[name] = url
    return found
