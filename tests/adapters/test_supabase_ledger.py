"""The Supabase ledger keeps the contract of a ledger, over HTTP and a real database.

Grouped and not, and with every change made by the functions for many.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from tests.adapters.supabase_projects import InAProject, project
from tests.servers.postgrest import PostgrestServer
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.ledger import SupabaseLedger
from tollkeeper.adapters.supabase.store import SupabaseStore
from tollkeeper.contracts.ledger import LedgerContract
from tollkeeper.contracts.ledger_machine import ledger_machine
from tollkeeper.domain.errors import TollkeeperError

__all__ = ["project"]
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


class BatchedLedger(SupabaseLedger):
    """Makes every change by the functions for many, even where it is asked for alone."""

    def __init__(self, connections: SupabaseConnections) -> None:
        super().__init__(connections)
        self._places.one = alone(self._placing.many)
        self._captures.one = alone(self._capturing.many)
        self._releases.one = alone(self._releasing.many)


class TestSupabaseLedger(InAProject, LedgerContract):
    pass


class TestSupabaseLedgerUngrouped(InAProject, LedgerContract):
    # Every call is a request of its own here, so a slow machine needs its time.
    options = "group=off&timeout=30"


class TestSupabaseLedgerOfBatches(InAProject, LedgerContract):
    @pytest.fixture
    def ledger(self, store: SupabaseStore) -> SupabaseLedger:
        return BatchedLedger(store._connections)


@pytest.fixture(scope="module", autouse=True)
def machines_project(project: PostgrestServer) -> Iterator[None]:
    projects.append(project)
    yield
    projects.clear()


projects: list[PostgrestServer] = []


@asynccontextmanager
async def open_ledger() -> AsyncIterator[SupabaseLedger]:
    async with SupabaseConnections.from_url(projects[-1].store_url()) as connections:
        yield SupabaseLedger(connections)


TestSupabaseLedgerMachine = ledger_machine(open_ledger, examples=4).TestCase


AtLength = ledger_machine(open_ledger, examples=6).TestCase


@pytest.mark.soak
class TestSupabaseLedgerMachineAtLength(AtLength):  # type: ignore[misc, valid-type]  # made above
    pass
