"""The memory outbox keeps the outbox's contract."""

import pytest

from tollkeeper.adapters.memory.outbox import MemoryOutbox
from tollkeeper.contracts.outbox import OutboxContract


class TestMemoryOutbox(OutboxContract):
    @pytest.fixture
    def outbox(self) -> MemoryOutbox:
        return MemoryOutbox()
