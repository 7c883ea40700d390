"""Every adapter of shared state fits its port: checked by mypy, never run."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tollkeeper.adapters.memory.broadcast import MemoryBroadcast
from tollkeeper.adapters.memory.event_log import MemoryEventLog
from tollkeeper.adapters.memory.lock import MemoryLock
from tollkeeper.adapters.memory.outbox import MemoryOutbox
from tollkeeper.adapters.memory.tables import MemoryTables
from tollkeeper.adapters.postgres.attempt_log import PostgresAttemptLog
from tollkeeper.adapters.postgres.audit_log import PostgresAuditLog
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.key_store import PostgresKeyStore
from tollkeeper.adapters.postgres.ledger import PostgresLedger
from tollkeeper.adapters.postgres.outbox import PostgresOutbox
from tollkeeper.adapters.postgres.plan_store import PostgresPlanStore
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.adapters.postgres.tables import PostgresTables
from tollkeeper.adapters.postgres.usage_log import PostgresUsageLog
from tollkeeper.adapters.redis.broadcast import RedisBroadcast
from tollkeeper.adapters.redis.cache import RedisCache
from tollkeeper.adapters.redis.connections import RedisConnections
from tollkeeper.adapters.redis.event_log import RedisEventLog
from tollkeeper.adapters.redis.lock import RedisLock
from tollkeeper.adapters.redis.rate_limiter import RedisRateLimiter
from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.outbox import SqliteOutbox
from tollkeeper.adapters.sqlite.tables import SqliteTables
from tollkeeper.adapters.supabase.attempt_log import SupabaseAttemptLog
from tollkeeper.adapters.supabase.audit_log import SupabaseAuditLog
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.key_store import SupabaseKeyStore
from tollkeeper.adapters.supabase.ledger import SupabaseLedger
from tollkeeper.adapters.supabase.outbox import SupabaseOutbox
from tollkeeper.adapters.supabase.plan_store import SupabasePlanStore
from tollkeeper.adapters.supabase.store import SupabaseStore
from tollkeeper.adapters.supabase.tables import SupabaseTables
from tollkeeper.adapters.supabase.usage_log import SupabaseUsageLog
from tollkeeper.adapters.system.clock import SystemClock
from tollkeeper.ports.attempt_log import AttemptLog
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.broadcast import Broadcast
from tollkeeper.ports.cache import Cache
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.event_log import EventLog
from tollkeeper.ports.health import HealthCheck
from tollkeeper.ports.key_store import KeyStore
from tollkeeper.ports.ledger import Ledger
from tollkeeper.ports.lock import Lock
from tollkeeper.ports.outbox import Outbox
from tollkeeper.ports.plan_store import PlanStore
from tollkeeper.ports.rate_limiter import RateLimiter
from tollkeeper.ports.store import Store
from tollkeeper.ports.tables import Tables, UserTables
from tollkeeper.ports.usage_log import UsageLog

if TYPE_CHECKING:
    clock = SystemClock()
    sqlite = Database(Path("nowhere.db"), lock_timeout=5)
    postgres = PostgresConnections.from_url("postgresql://host/database")
    redis = RedisConnections.from_url("redis://host", port="cache")
    supabase = SupabaseConnections.from_url("supabase+https://service_role:key@host")

    stores: list[Store] = [PostgresStore(postgres), SupabaseStore(supabase)]
    key_stores: list[KeyStore] = [PostgresKeyStore(postgres), SupabaseKeyStore(supabase)]
    ledgers: list[Ledger] = [PostgresLedger(postgres), SupabaseLedger(supabase)]
    usage_logs: list[UsageLog] = [PostgresUsageLog(postgres), SupabaseUsageLog(supabase)]
    plan_stores: list[PlanStore] = [PostgresPlanStore(postgres), SupabasePlanStore(supabase)]
    audit_logs: list[AuditLog] = [PostgresAuditLog(postgres), SupabaseAuditLog(supabase)]
    attempt_logs: list[AttemptLog] = [PostgresAttemptLog(postgres), SupabaseAttemptLog(supabase)]
    outboxes: list[Outbox] = [
        *(MemoryOutbox(), SqliteOutbox(sqlite)),
        *(PostgresOutbox(postgres), SupabaseOutbox(supabase)),
    ]
    caches: list[Cache] = [RedisCache(redis)]
    rate_limiters: list[RateLimiter] = [RedisRateLimiter(redis)]
    locks: list[Lock] = [MemoryLock(clock), RedisLock(redis)]
    event_logs: list[EventLog] = [MemoryEventLog(clock), RedisEventLog(redis)]
    broadcasts: list[Broadcast] = [MemoryBroadcast(), RedisBroadcast(redis)]
    several_tables: list[Tables] = [
        MemoryTables(),
        SqliteTables("nowhere.db", lock_timeout=timedelta(seconds=5)),
        PostgresTables(postgres),
        SupabaseTables(supabase),
    ]
    of_users: list[UserTables] = [SupabaseTables(supabase)]
    checkable: list[HealthCheck] = [
        *(PostgresStore(postgres), SupabaseStore(supabase)),
        *(RedisCache(redis), RedisRateLimiter(redis), RedisLock(redis)),
        *(RedisEventLog(redis), RedisBroadcast(redis)),
        *(SqliteTables("nowhere.db"), PostgresTables(postgres), SupabaseTables(supabase)),
    ]


class MakesStore(Protocol):
    """How the container calls the factory of a store."""

    def __call__(self, url: str) -> Store: ...


class MakesCache(Protocol):
    """How the container calls the factory of a cache."""

    def __call__(self, url: str, *, clock: Clock) -> Cache: ...


class MakesRateLimiter(Protocol):
    """How the container calls the factory of a rate limiter."""

    def __call__(self, url: str, *, clock: Clock) -> RateLimiter: ...


class MakesLock(Protocol):
    """How the container calls the factory of locks."""

    def __call__(self, url: str, *, clock: Clock) -> Lock: ...


class MakesEventLog(Protocol):
    """How the container calls the factory of event logs."""

    def __call__(self, url: str, *, clock: Clock) -> EventLog: ...


class MakesBroadcast(Protocol):
    """How the container calls the factory of a broadcast."""

    def __call__(self, url: str) -> Broadcast: ...


class MakesTables(Protocol):
    """How the container calls the factory of tables."""

    def __call__(self, url: str) -> Tables: ...


if TYPE_CHECKING:
    # The factory of each adapter that a URL can name is called as the registry says.
    make_stores: list[MakesStore] = [PostgresStore.from_url, SupabaseStore.from_url]
    make_caches: list[MakesCache] = [RedisCache.from_url]
    make_rate_limiters: list[MakesRateLimiter] = [RedisRateLimiter.from_url]
    make_locks: list[MakesLock] = [MemoryLock.from_url, RedisLock.from_url]
    make_event_logs: list[MakesEventLog] = [MemoryEventLog.from_url, RedisEventLog.from_url]
    make_broadcasts: list[MakesBroadcast] = [MemoryBroadcast.from_url, RedisBroadcast.from_url]
    make_tables: list[MakesTables] = [
        *(MemoryTables.from_url, SqliteTables.from_url),
        *(PostgresTables.from_url, SupabaseTables.from_url),
    ]
