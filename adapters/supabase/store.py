"""One Supabase project that holds everything which must never be lost."""

from types import TracebackType
from typing import Self

from tollkeeper.adapters.supabase.addresses import Address
from tollkeeper.adapters.supabase.attempt_log import SupabaseAttemptLog
from tollkeeper.adapters.supabase.audit_log import SupabaseAuditLog
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.credential_store import SupabaseCredentialStore
from tollkeeper.adapters.supabase.data_key_store import SupabaseDataKeyStore
from tollkeeper.adapters.supabase.key_store import SupabaseKeyStore
from tollkeeper.adapters.supabase.ledger import SupabaseLedger
from tollkeeper.adapters.supabase.outbox import SupabaseOutbox
from tollkeeper.adapters.supabase.plan_store import SupabasePlanStore
from tollkeeper.adapters.supabase.quota_counter import SupabaseQuotaCounter
from tollkeeper.adapters.supabase.schema import state_of
from tollkeeper.adapters.supabase.usage_log import SupabaseUsageLog
from tollkeeper.domain.errors import PortError


class SupabaseStore:
    """The parts of a store in one schema of a project, over one pool of connections.

    ``tollkeeper migrate`` makes the schema, by the project's ``postgresql://`` URL; the store calls
    its functions. Any number of processes, and of stores in one process, may share a project, also
    with stores that come by ``postgresql://``. A store is used in the event loop that opened it,
    and may be opened again in another one after it was closed.

    Entering asks the project once who we are there and what is there: a wrong key, one that does
    not act as ``service_role``, and a missing or old schema are errors then. A project that is down
    is an error of the first operation.

    Args:
        connections: the pool; entering the store opens it.
    """

    def __init__(self, connections: SupabaseConnections) -> None:
        self._connections = connections
        self._key_store = SupabaseKeyStore(connections)
        self._ledger = SupabaseLedger(connections)
        self._usage_log = SupabaseUsageLog(connections)
        self._plan_store = SupabasePlanStore(connections)
        self._audit_log = SupabaseAuditLog(connections)
        self._attempt_log = SupabaseAttemptLog(connections)
        self._outbox = SupabaseOutbox(connections)
        self._quota_counter = SupabaseQuotaCounter(connections)
        self._data_key_store = SupabaseDataKeyStore(connections)
        self._credential_store = SupabaseCredentialStore(connections)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Make a store of ``supabase+https://service_role:<key>@<project>.supabase.co?option=…``.

        Raises:
            ConfigurationError: *url* is malformed, or its key is not one of the service.
        """
        return cls(SupabaseConnections.from_url(url))

    @property
    def address(self) -> Address:
        """Where the project is."""
        return self._connections.address

    @property
    def key_store(self) -> SupabaseKeyStore:
        """Where API keys live."""
        return self._key_store

    @property
    def ledger(self) -> SupabaseLedger:
        """Who has how much."""
        return self._ledger

    @property
    def usage_log(self) -> SupabaseUsageLog:
        """What was used."""
        return self._usage_log

    @property
    def plan_store(self) -> SupabasePlanStore:
        """Where plans live."""
        return self._plan_store

    @property
    def audit_log(self) -> SupabaseAuditLog:
        """Who changed what."""
        return self._audit_log

    @property
    def attempt_log(self) -> SupabaseAttemptLog:
        """What was asked of providers."""
        return self._attempt_log

    @property
    def outbox(self) -> SupabaseOutbox:
        """What must be delivered."""
        return self._outbox

    @property
    def quota_counter(self) -> SupabaseQuotaCounter:
        """How much each key has used of its quota."""
        return self._quota_counter

    @property
    def data_key_store(self) -> SupabaseDataKeyStore:
        """Where the data keys of accounts live, wrapped."""
        return self._data_key_store

    @property
    def credential_store(self) -> SupabaseCredentialStore:
        """Where accounts' own provider credentials live, encrypted."""
        return self._credential_store

    async def health(self) -> str:
        """Reach out once: the versions of the server and of the schema, and the pool's figures.

        Raises:
            PortError: the project cannot be reached, or refuses.
            ConfigurationError: the key or the schema is not what it should be.
        """
        state = await state_of(self._connections)
        most = self.address.pool_size
        return (
            f"Supabase on PostgreSQL {state.server}, schema {state.version}, "
            f"requests {self._connections.in_use} under way, at most {most}"
        )

    async def __aenter__(self) -> Self:
        await self._connections.__aenter__()
        try:
            await state_of(self._connections)
        except PortError:
            # It may be back before anybody asks; whoever asks hears of it.
            pass
        except BaseException:
            await self._connections.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._connections.__aexit__(exc_type, exc, traceback)
