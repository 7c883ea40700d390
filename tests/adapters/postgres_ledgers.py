"""PostgreSQL ledgers as their tests need them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest

from tests.adapters.postgres_databases import OnPostgres
from tollkeeper.adapters.postgres.capturing import Capturing
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.ledger import PostgresLedger
from tollkeeper.adapters.postgres.placing import Placing, Releasing
from tollkeeper.adapters.postgres.usage_log import PostgresUsageLog
from tollkeeper.domain.errors import TollkeeperError

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")


def alone(
    many: Callable[[Sequence[Ask]], Awaitable[Sequence[Answer | TollkeeperError]]],
) -> Callable[[Ask], Awaitable[Answer]]:
    """Ask one request by the way for many."""

    async def ask(request: Ask) -> Answer:
        [answer] = await many([request])
        if isinstance(answer, TollkeeperError):
            raise answer
        return answer

    return ask


class BatchedLedger(PostgresLedger):
    """Makes every change by the functions for many, even where it is asked for alone."""

    def __init__(self, connections: PostgresConnections) -> None:
        super().__init__(connections)
        self._places.one = alone(Placing(connections).many)
        self._captures.one = alone(Capturing(connections).many)
        self._releases.one = alone(Releasing(connections).many)


class WithALedger(OnPostgres):
    """A ledger and the usage log of the same database."""

    @pytest.fixture
    def ledger(self, connections: PostgresConnections) -> PostgresLedger:
        """Make a ledger."""
        return PostgresLedger(connections)

    @pytest.fixture
    def usage_log(self, connections: PostgresConnections) -> PostgresUsageLog:
        """Make a usage log."""
        return PostgresUsageLog(connections)
