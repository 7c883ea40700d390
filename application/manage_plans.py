"""Define plans, and give them to accounts."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from attrs import frozen

from tollkeeper.application.audit_trail import AuditTrail
from tollkeeper.domain.checks import checked_account, checked_duration, checked_text, checked_time
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.plans import Plan, Subscription
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.plan_store import PlanStore

EVERYONE = "*"
"""The account under which changes to the plans themselves are audited."""


@frozen
class DefinePlan:
    """Make a plan, or change what it allows from now on."""

    plan_store: PlanStore
    trail: AuditTrail

    async def __call__(self, plan: Plan, *, actor: str = "host") -> Plan:
        """Keep *plan* under its name, in the place of one that was there.

        Raises:
            InvalidRequest: an argument is malformed.
        """
        if not isinstance(plan, Plan):
            raise InvalidRequest("a plan is a Plan")
        checked_text(actor, field="actor")
        details: Mapping[str, str] = {
            "models": " ".join(plan.models),
            "operations": " ".join(plan.operations),
            "rate_limit": str(plan.rate_limit or "none"),
            "on_outage": str(plan.on_outage),
            "markup_bps": str(plan.markup_bps),
        }
        await self.trail.record(
            lambda audit: self.plan_store.put(plan, audit=audit),
            account=EVERYONE,
            actor=actor,
            action="plan.defined",
            subject=plan.name,
            details=details,
        )
        return plan


@frozen
class SubscribeAccount:
    """Give an account a plan."""

    plan_store: PlanStore
    trail: AuditTrail
    clock: Clock

    async def __call__(
        self,
        *,
        account: str,
        plan: str,
        starts_at: datetime | None = None,
        runs_for: timedelta | None = None,
        actor: str = "host",
    ) -> Subscription:
        """Give *account* the plan named *plan* from *starts_at* (now) for *runs_for* (no end).

        Raises:
            NotFound: there is no such plan.
            InvalidRequest: an argument is malformed.
        """
        checked_account(account)
        checked_text(actor, field="actor")
        now = self.clock.now()
        start = now if starts_at is None else checked_time(starts_at, field="starts_at")
        if runs_for is not None:
            checked_duration(runs_for, field="runs_for", shortest=timedelta(seconds=1))
        try:
            ends_at = None if runs_for is None else start + runs_for
        except OverflowError:
            raise InvalidRequest("the subscription would end after the year 9999") from None
        subscription = Subscription(account=account, plan=plan, starts_at=start, ends_at=ends_at)
        await self.trail.record(
            lambda audit: self.plan_store.subscribe(subscription, audit=audit),
            account=account,
            actor=actor,
            action="plan.subscribed",
            subject=plan,
        )
        return subscription
