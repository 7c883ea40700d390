"""What the parts of the event log's contract share."""

import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.event_logs import LoggedEvent, LogLimits
from tollkeeper.ports.event_log import EventLog

Advance = Callable[[timedelta], Awaitable[None]]
SECOND = timedelta(seconds=1)


async def everything(event_log: EventLog, log: str, after: str | None = None) -> list[LoggedEvent]:
    """Read *log* to its present end."""
    found: list[LoggedEvent] = []
    while True:
        page = await event_log.read(log, after=after, limit=7)
        found += page.events
        if len(page.events) < 7:
            return found
        after = page.events[-1].id


async def appended(
    event_log: EventLog, log: str, *events: bytes, limits: LogLimits | None = None
) -> tuple[LoggedEvent, ...]:
    """Append *events*, with the usual limits if none are given."""
    return await event_log.append(log, list(events), limits=limits or LogLimits())


class EventLogSuite(Contract):
    """A part of the contract."""

    @pytest.fixture
    def log(self) -> str:
        """Name a log that nobody used before."""
        return f"contract-{uuid.uuid4().hex}"

    @pytest.fixture
    def patience(self) -> timedelta:
        """Say how long to wait for what has to come before it counts as lost."""
        return timedelta(seconds=10)
