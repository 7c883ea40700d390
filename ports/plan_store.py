"""Where plans live, and who has which."""

from datetime import datetime
from typing import Protocol, runtime_checkable

from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.plans import Plan, Subscription


@runtime_checkable
class PlanStore(Protocol):
    """Keeps plans and subscriptions. Each method is atomic and may raise PortError.

    A change and its audit entry are one step.
    """

    async def put(self, plan: Plan, *, audit: AuditEntry) -> None:
        """Keep *plan* under its name, in the place of one that was there."""

    async def plans(self) -> tuple[Plan, ...]:
        """Return all plans by name."""

    async def subscribe(self, subscription: Subscription, *, audit: AuditEntry) -> None:
        """Give the account the plan, in the place of any subscription that it has.

        Raises:
            NotFound: no such plan.
        """

    async def plan_of(self, account: str, *, at: datetime) -> Plan | None:
        """Return the plan that the account has at *at*, or None."""
