"""The machine's clock."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Tells the machine's own time."""

    __slots__ = ()

    def now(self) -> datetime:
        """Return the present time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back; only differences mean anything."""
        return time.monotonic()
