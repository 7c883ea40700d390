"""Adapters that send a credential: optional, and separate from what they do with it."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Keyed(Protocol):
    """An adapter that authenticates to one provider at one place.

    Credentials are bound to these two; the adapter sends no other.
    """

    @property
    def provider(self) -> str:
        """The provider's name in the settings."""

    @property
    def base_url(self) -> str:
        """Where its requests go."""
