"""Plans and subscriptions in the memory of the process."""

from datetime import datetime

from attrs import field, frozen

from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import NotFound
from tollkeeper.domain.plans import Plan, Subscription


@frozen
class MemoryPlanStore:
    """Keeps plans and subscriptions in *database*."""

    database: MemoryDatabase = field(factory=MemoryDatabase)

    async def put(self, plan: Plan, *, audit: AuditEntry) -> None:
        """Keep a plan under its name."""
        placed = self.database.placed(audit)
        self.database.plans[plan.name] = plan
        self.database.write(placed)

    async def plans(self) -> tuple[Plan, ...]:
        """Return all plans by name."""
        return tuple(self.database.plans[name] for name in sorted(self.database.plans))

    async def subscribe(self, subscription: Subscription, *, audit: AuditEntry) -> None:
        """Give the account the plan."""
        if subscription.plan not in self.database.plans:
            raise NotFound(f"there is no plan {subscription.plan}", code="plan_not_found")
        placed = self.database.placed(audit)
        self.database.subscriptions[subscription.account] = subscription
        self.database.write(placed)

    async def plan_of(self, account: str, *, at: datetime) -> Plan | None:
        """Return the plan that the account has."""
        subscription = self.database.subscriptions.get(account)
        if subscription is None or not subscription.covers(at):
            return None
        return self.database.plans[subscription.plan]
