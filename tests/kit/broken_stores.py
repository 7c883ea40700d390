"""Plan stores and audit logs with one fault each, for their suites to find."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve

from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.key_store import MemoryKeyStore
from tollkeeper.adapters.memory.plan_store import MemoryPlanStore
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import NotFound
from tollkeeper.domain.plans import Plan, Subscription


class PlanAuditForgotten(MemoryPlanStore):
    """Changes plans and tells nobody."""

    async def put(self, plan: Plan, *, audit: AuditEntry) -> None:
        await super().put(plan, audit=audit)
        self.database.audit[audit.account].pop()


class SubscriptionAuditForgotten(MemoryPlanStore):
    """Changes subscriptions and tells nobody."""

    async def subscribe(self, subscription: Subscription, *, audit: AuditEntry) -> None:
        await super().subscribe(subscription, audit=audit)
        self.database.audit[audit.account].pop()


class SubscriptionAuditedFirst(MemoryPlanStore):
    """Tells of subscriptions that did not happen."""

    async def subscribe(self, subscription: Subscription, *, audit: AuditEntry) -> None:
        self.database.audit[audit.account].append(audit)
        await super().subscribe(subscription, audit=audit)
        self.database.audit[audit.account].pop()


class AnyPlanWillDo(MemoryPlanStore):
    """Subscribes to plans that are not there."""

    async def subscribe(self, subscription: Subscription, *, audit: AuditEntry) -> None:
        if subscription.plan in self.database.plans:
            await super().subscribe(subscription, audit=audit)


class FirstPlanStays(MemoryPlanStore):
    """Keeps the plan that was there."""

    async def put(self, plan: Plan, *, audit: AuditEntry) -> None:
        await super().put(self.database.plans.get(plan.name, plan), audit=audit)


class FirstSubscriptionStays(MemoryPlanStore):
    """Keeps the subscription that was there."""

    async def subscribe(self, subscription: Subscription, *, audit: AuditEntry) -> None:
        first = self.database.subscriptions.get(subscription.account, subscription)
        await super().subscribe(first, audit=audit)


class PlansForEver(MemoryPlanStore):
    """Forgets that subscriptions begin and end."""

    async def plan_of(self, account: str, *, at: datetime) -> Plan | None:
        subscription = self.database.subscriptions.get(account)
        return None if subscription is None else self.database.plans[subscription.plan]


class LastMomentIncluded(MemoryPlanStore):
    """Lets a subscription run for a moment too long."""

    async def plan_of(self, account: str, *, at: datetime) -> Plan | None:
        before = await super().plan_of(account, at=at - timedelta(microseconds=1))
        return await super().plan_of(account, at=at) or before


class PlansOfEveryone(MemoryPlanStore):
    """Gives an account without a plan the first one that it finds."""

    async def plan_of(self, account: str, *, at: datetime) -> Plan | None:
        return await super().plan_of(account, at=at) or next(
            iter(self.database.plans.values()), None
        )


class PlansInAnyOrder(MemoryPlanStore):
    """Gives plans as they came."""

    async def plans(self) -> tuple[Plan, ...]:
        return tuple(self.database.plans.values())


class LimitsForgotten(MemoryPlanStore):
    """Keeps a plan without its rate limit."""

    async def put(self, plan: Plan, *, audit: AuditEntry) -> None:
        await super().put(evolve(plan, rate_limit=None), audit=audit)


class OutagesOfPlansForgotten(MemoryPlanStore):
    """Keeps a plan's limit, and not what becomes of it on an outage."""

    async def put(self, plan: Plan, *, audit: AuditEntry) -> None:
        await super().put(evolve(plan, on_outage="closed"), audit=audit)


class FirstOutageStays(MemoryPlanStore):
    """Replaces all of a plan but what its limit does on an outage."""

    async def put(self, plan: Plan, *, audit: AuditEntry) -> None:
        former = self.database.plans.get(plan.name, plan)
        await super().put(evolve(plan, on_outage=former.on_outage), audit=audit)


class RacyPlanAudit(MemoryPlanStore):
    """Reads the log, and writes it back a moment later."""

    async def put(self, plan: Plan, *, audit: AuditEntry) -> None:
        entries = [*self.database.audit[audit.account], audit]
        await asyncio.sleep(0)
        self.database.plans[plan.name] = plan
        self.database.audit[audit.account] = entries


class TornPlan(MemoryPlanStore):
    """Writes the plan, and the audit entry a moment later."""

    async def put(self, plan: Plan, *, audit: AuditEntry) -> None:
        self.database.plans[plan.name] = plan
        await asyncio.sleep(0)
        self.database.audit[audit.account].append(audit)


class EntriesByTime(MemoryAuditLog):
    """Orders entries by what their clocks said."""

    async def entries(self, **call: Any) -> tuple[AuditEntry, ...]:
        return tuple(sorted(await super().entries(**call), key=lambda entry: entry.at))


class EntriesOfEveryone(MemoryAuditLog):
    """Shows every account's entries."""

    async def entries(self, *, account: str, **call: Any) -> tuple[AuditEntry, ...]:
        return tuple(entry for entries in self.database.audit.values() for entry in entries)


class EntryPagesOffByOne(MemoryAuditLog):
    """Gives one entry too many."""

    async def entries(self, *, limit: int = 100, **call: Any) -> tuple[AuditEntry, ...]:
        return await super().entries(limit=limit + 1, **call)


class UnknownEntryIsTheFirst(MemoryAuditLog):
    """Begins anew where it does not know the page before."""

    async def entries(self, *, after: str | None = None, **call: Any) -> tuple[AuditEntry, ...]:
        try:
            return await super().entries(after=after, **call)
        except NotFound:
            return await super().entries(**call)


class DetailsForgotten(MemoryAuditLog):
    """Forgets why."""

    async def entries(self, **call: Any) -> tuple[AuditEntry, ...]:
        return tuple(evolve(entry, details={}) for entry in await super().entries(**call))


class EntriesLost(MemoryKeyStore):
    """Reads the audit log, and writes it back a moment later."""

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        entries = [*self.database.audit[audit.account], audit]
        await asyncio.sleep(0)
        await super().add(key, audit=audit)
        self.database.audit[audit.account] = entries
