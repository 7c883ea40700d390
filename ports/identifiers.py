"""Names for new things, and randomness."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Identifiers(Protocol):
    """Makes identifiers and random bytes; neither method blocks or fails."""

    def new(self, kind: str) -> str:
        """Return ``{kind}_…``, never returned before by any instance anywhere.

        Letters, digits and ``_``, at most 64 characters in all; *kind* is 1-16 lower-case
        letters.
        """

    def random_bytes(self, size: int) -> bytes:
        """Return *size* bytes fit for secrets."""
