"""A store in the memory of the process."""

from typing import Self

from attrs import field, frozen

from tollkeeper.adapters.memory.attempt_log import MemoryAttemptLog
from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.credential_store import MemoryCredentialStore
from tollkeeper.adapters.memory.data_key_store import MemoryDataKeyStore
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.key_store import MemoryKeyStore
from tollkeeper.adapters.memory.ledger import MemoryLedger
from tollkeeper.adapters.memory.outbox import MemoryOutbox
from tollkeeper.adapters.memory.plan_store import MemoryPlanStore
from tollkeeper.adapters.memory.quota_counter import MemoryQuotaCounter
from tollkeeper.adapters.memory.usage_log import MemoryUsageLog
from tollkeeper.domain.errors import ConfigurationError


@frozen
class MemoryStore:
    """Keeps everything until the process ends: for development and tests.

    It may be used from several event loops or threads, one at a time.
    """

    database: MemoryDatabase = field(factory=MemoryDatabase, repr=False)
    outbox: MemoryOutbox = field(factory=MemoryOutbox, repr=False)
    """What must be delivered."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make an empty store of its own from ``memory://``.

        Raises:
            ConfigurationError: *url* says anything more.
        """
        if url != "memory://":
            raise ConfigurationError(
                "the memory store takes no path and no options; write memory://"
            )
        return cls()

    @property
    def key_store(self) -> MemoryKeyStore:
        """Where API keys live."""
        return MemoryKeyStore(self.database)

    @property
    def ledger(self) -> MemoryLedger:
        """Who has how much."""
        return MemoryLedger(self.database)

    @property
    def usage_log(self) -> MemoryUsageLog:
        """What was used."""
        return MemoryUsageLog(self.database)

    @property
    def plan_store(self) -> MemoryPlanStore:
        """Where plans live."""
        return MemoryPlanStore(self.database)

    @property
    def audit_log(self) -> MemoryAuditLog:
        """Who changed what."""
        return MemoryAuditLog(self.database)

    @property
    def attempt_log(self) -> MemoryAttemptLog:
        """What was asked of providers."""
        return MemoryAttemptLog(self.database)

    @property
    def quota_counter(self) -> MemoryQuotaCounter:
        """How much each key has used of its quota."""
        return MemoryQuotaCounter(self.database)

    @property
    def data_key_store(self) -> MemoryDataKeyStore:
        """Where the data keys of accounts live, wrapped."""
        return MemoryDataKeyStore(self.database)

    @property
    def credential_store(self) -> MemoryCredentialStore:
        """Where accounts' own provider credentials live, encrypted."""
        return MemoryCredentialStore(self.database)
