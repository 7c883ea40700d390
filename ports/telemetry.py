"""What happened, for those who look after it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

Attribute = str | int | float | bool


@runtime_checkable
class Span(Protocol):
    """A stretch of work that is going on."""

    def set(self, name: str, value: Attribute) -> None:
        """Add an attribute, in the place of one of that name."""


@runtime_checkable
class Telemetry(Protocol):
    """Takes spans. It may sample and drop; it never fails, blocks or changes what it observes.

    Attributes hold names and numbers, never messages, tokens or secrets.
    """

    def span(
        self, name: str, attributes: Mapping[str, Attribute] | None = None
    ) -> AbstractContextManager[Span]:
        """Open a span, child of the one open in this task; it ends with the ``with`` block.

        An exception that leaves the block marks the span with its class and goes on unchanged.
        """

    async def flush(self) -> None:
        """Write out what is waiting, as far as possible."""
