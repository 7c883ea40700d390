"""A string that does not show itself."""

import hmac
from typing import NoReturn, final

from tollkeeper.domain.errors import InvalidRequest

MASK = "********"


@final
class Secret:
    """A secret text: no repr, str, format, pickle or traceback shows it.

    Read it with :meth:`reveal`, at the one place that sends or hashes it.

    Raises:
        InvalidRequest: it is made of anything but text.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise InvalidRequest("a secret is text", code="invalid_secret")
        self._value = value

    def reveal(self) -> str:
        """Return the text itself."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        # What the operating system hands over need not be valid Unicode.
        mine, theirs = (s._value.encode("utf-8", "surrogatepass") for s in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied into another process")
