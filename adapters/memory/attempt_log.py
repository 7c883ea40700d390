"""An attempt log in the memory of the process."""

from collections.abc import Sequence
from datetime import datetime

from attrs import field, frozen

from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.errors import NotFound


@frozen
class MemoryAttemptLog:
    """Keeps attempts in *database*."""

    database: MemoryDatabase = field(factory=MemoryDatabase)

    async def record(self, attempts: Sequence[Attempt]) -> None:
        """Append attempts."""
        self.database.log_attempts(tuple(attempts))

    async def attempts(
        self,
        *,
        account: str,
        call_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[Attempt, ...]:
        """Return a page of the account's attempts."""
        found = [
            attempt
            for attempt in self.database.attempts_of.get(account, ())
            if call_id in (None, attempt.call_id)
            and (since is None or attempt.started_at >= since)
            and (until is None or attempt.started_at < until)
        ]
        if after is not None:
            last = self.database.attempts.get(after)
            if last is None or last.account != account:
                raise NotFound("no such attempt", code="attempt_not_found")
            found = [attempt for attempt in found if _position(attempt) > _position(last)]
        found.sort(key=_position)
        return tuple(found[: max(limit, 0)])


def _position(attempt: Attempt) -> tuple[datetime, str]:
    return (attempt.started_at, attempt.id)
