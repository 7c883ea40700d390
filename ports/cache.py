"""What may be forgotten."""

from collections.abc import Mapping, Sequence
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

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Return the values that are there, by key: of at most 1,000 *keys*.

        Each value is what :meth:`get` would return at some moment of the call.
        """

    async def increment(self, key: str, by: int = 1, *, ttl: timedelta) -> int:
        """Add *by* to the number at *key*, 0 if nothing is there, and return the sum.

        The value is the sum's decimal digits. What is new lives for *ttl*; a number that is
        there already keeps its time. It is never done twice: where a reply is lost, the error
        is ``ambiguous``.

        Raises:
            InvalidRequest: *by* is no whole number of at most 15 digits.
            Conflict: what is there is no whole number, or the sum has more than 63 bits (code
                ``not_a_number``); it stays as it was.
        """

    async def expire(self, key: str, *, ttl: timedelta) -> bool:
        """Let the value live for *ttl* from now on, and say whether there is one."""
