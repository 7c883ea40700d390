"""Plans and subscriptions, in SQLite."""

import json
import sqlite3
from datetime import datetime, timedelta
from typing import Any

from tollkeeper.adapters.sqlite.audit_log import append_audit
from tollkeeper.adapters.sqlite.database import Database
from tollkeeper.adapters.sqlite.rows import (
    from_micros,
    from_micros_or_none,
    to_micros,
    to_micros_or_none,
)
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import NotFound
from tollkeeper.domain.plans import Plan, Subscription
from tollkeeper.domain.rate_limits import RateLimit

_PUT = """
    INSERT INTO plans (name, operations, models, rate_requests, rate_period, max_output_tokens,
        markup_bps, on_outage)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET operations = excluded.operations, models = excluded.models,
        rate_requests = excluded.rate_requests, rate_period = excluded.rate_period,
        max_output_tokens = excluded.max_output_tokens, markup_bps = excluded.markup_bps,
        on_outage = excluded.on_outage
"""
_PLANS = """
    SELECT name, operations, models, rate_requests, rate_period, max_output_tokens, markup_bps,
        on_outage
    FROM plans ORDER BY name
"""
_EXISTS = "SELECT 1 FROM plans WHERE name = ?"
_SUBSCRIBE = """
    INSERT INTO subscriptions (account, plan, starts_at, ends_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (account) DO UPDATE SET plan = excluded.plan, starts_at = excluded.starts_at,
        ends_at = excluded.ends_at
"""
_PLAN_OF = """
    SELECT s.account, s.starts_at, s.ends_at, p.name, p.operations, p.models, p.rate_requests,
        p.rate_period, p.max_output_tokens, p.markup_bps, p.on_outage
    FROM subscriptions AS s JOIN plans AS p ON p.name = s.plan WHERE s.account = ?
"""
_MICROSECOND = timedelta(microseconds=1)


def _from_row(row: tuple[Any, ...]) -> Plan:
    name, operations, models, requests, period, max_output_tokens, markup_bps, on_outage = row
    return Plan(
        name=name,
        operations=tuple(json.loads(operations)),
        models=tuple(json.loads(models)),
        rate_limit=None if requests is None else RateLimit(requests, period * _MICROSECOND),
        max_output_tokens=max_output_tokens,
        markup_bps=markup_bps,
        on_outage=on_outage,
    )


class SqlitePlanStore:
    """Keeps plans and subscriptions in one file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, plan: Plan, *, audit: AuditEntry) -> None:
        """Keep *plan* under its name, in the place of one that was there."""
        limit = plan.rate_limit
        row = (
            plan.name,
            json.dumps(plan.operations),
            json.dumps(plan.models),
            limit.requests if limit else None,
            limit.period // _MICROSECOND if limit else None,
            plan.max_output_tokens,
            plan.markup_bps,
            plan.on_outage.value,
        )

        def change(connection: sqlite3.Connection) -> None:
            connection.execute(_PUT, row)
            append_audit(connection, audit)

        await self._database.change(change)

    async def plans(self) -> tuple[Plan, ...]:
        """Return all plans by name."""

        def read(connection: sqlite3.Connection) -> tuple[Plan, ...]:
            return tuple(map(_from_row, connection.execute(_PLANS).fetchall()))

        return await self._database.scan(read)

    async def subscribe(self, subscription: Subscription, *, audit: AuditEntry) -> None:
        """Give the account the plan, in the place of any subscription that it has."""
        row = (
            subscription.account,
            subscription.plan,
            to_micros(subscription.starts_at),
            to_micros_or_none(subscription.ends_at),
        )

        def change(connection: sqlite3.Connection) -> None:
            if not connection.execute(_EXISTS, (subscription.plan,)).fetchall():
                raise NotFound(f"there is no plan {subscription.plan}", code="plan_not_found")
            connection.execute(_SUBSCRIBE, row)
            append_audit(connection, audit)

        await self._database.change(change)

    async def plan_of(self, account: str, *, at: datetime) -> Plan | None:
        """Return the plan that the account has at *at*, or None."""

        def read(connection: sqlite3.Connection) -> Plan | None:
            for row in connection.execute(_PLAN_OF, (account,)).fetchall():
                _, starts_at, ends_at, *plan = row
                subscription = Subscription(
                    account=account,
                    plan=plan[0],
                    starts_at=from_micros(starts_at),
                    ends_at=from_micros_or_none(ends_at),
                )
                if subscription.covers(at):
                    return _from_row(tuple(plan))
            return None

        return await self._database.look_up(read)
