"""Plans and subscriptions, in PostgreSQL."""

from datetime import datetime

from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.records import (
    audit_json,
    aware_or_none,
    plan_arguments,
    plan_from_row,
)
from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.rows import aware
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.plans import Plan, Subscription


class PostgresPlanStore:
    """Keeps plans and subscriptions in one database."""

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections
        schema = connections.schema
        self._put = f"SELECT {schema}.put_plan($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        self._plans = f"SELECT * FROM {schema}.all_plans()"
        self._subscribe = f"SELECT {schema}.put_subscription($1, $2, $3, $4, $5)"
        self._plan_of = f"SELECT * FROM {schema}.plan_of($1, $2)"

    async def put(self, plan: Plan, *, audit: AuditEntry) -> None:
        """Keep *plan* under its name, in the place of one that was there."""
        await settled(self._connections.fetch(self._put, *plan_arguments(plan), audit_json(audit)))

    async def plans(self) -> tuple[Plan, ...]:
        """Return all plans by name."""
        rows = await self._connections.fetch(self._plans)
        return tuple(plan_from_row(row) for row in rows)

    async def subscribe(self, subscription: Subscription, *, audit: AuditEntry) -> None:
        """Give the account the plan, in the place of any subscription that it has."""
        await settled(
            self._connections.fetch(
                self._subscribe,
                subscription.account,
                subscription.plan,
                aware(subscription.starts_at),
                aware_or_none(subscription.ends_at),
                audit_json(audit),
            )
        )

    async def plan_of(self, account: str, *, at: datetime) -> Plan | None:
        """Return the plan that the account has at *at*, or None."""
        for row in await self._connections.fetch(self._plan_of, account, aware(at)):
            return plan_from_row(row)
        return None
