"""What may be forgotten."""

from datetime import timedelta
from typing import Protocol, runtime_checkable


@runtime_checkable
class Cache(Protocol):
    """Keeps bytes under names for a while; may forget anything at any time, never invents.

    Keys are 1-512 printable characters without spaces; values at most 1 MiB. Each method is
    atomic and may raise PortError, and InvalidRequest for a malformed key, an oversized value or
    a *ttl* that is not positive.
    """

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None if there is none or its time is up."""

    async def set(self, key: str, value: bytes, *, ttl: timedelta) -> None:
        """Keep *value* for *ttl*, in the place of any other."""

    async def add(self, key: str, value: bytes, *, ttl: timedelta) -> bool:
        """Keep *value* for *ttl* if nothing is there, and say whether it was kept."""

    async def delete(self, key: str) -> bool:
        """Forget the value, and say whether there was one."""
