"""A clock that stands still."""

import threading
from datetime import UTC, datetime, timedelta

from tollkeeper.domain.checks import checked_time

_START = datetime(2001, 1, 1, 12, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


class MemoryClock:
    """Stands at *at* until it is moved; threads may share it."""

    def __init__(self, at: datetime = _START) -> None:
        self._now = checked_time(at)
        self._elapsed = timedelta(0)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the present time, aware, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds that the clock was moved on since it was made."""
        return self._elapsed / _SECOND

    def advance(self, by: timedelta) -> None:
        """Move the time on; back if *by* is negative, as when a machine's clock is put right.

        :meth:`monotonic` then stays where it is.
        """
        with self._lock:
            self._now += by
            self._elapsed += max(by, timedelta(0))
