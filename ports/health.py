"""Whether an adapter works: optional, for adapters that depend on something outside."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class HealthCheck(Protocol):
    """An adapter that can say whether what it depends on is there."""

    async def health(self) -> str:
        """Reach out once, change nothing, and return a short description, such as a version.

        Raises:
            PortError: it does not work.
            ConfigurationError: something is missing; the message names the remedy.
        """
