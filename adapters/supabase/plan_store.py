"""Plans and subscriptions, in Supabase."""

from datetime import datetime

from postgrest import AsyncPostgrestClient
from postgrest.types import CountMethod

from tollkeeper.adapters.sql.changes import settled
from tollkeeper.adapters.sql.records import audit_document, plan_from_row
from tollkeeper.adapters.supabase.answers import Answer
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.values import (
    duration_text,
    read_rows,
    time_or_none,
    time_text,
)
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.plans import Plan, Subscription


class SupabasePlanStore:
    """Keeps plans and subscriptions in one project."""

    def __init__(self, connections: SupabaseConnections) -> None:
        self._connections = connections
        self._port = connections.port

    async def put(self, plan: Plan, *, audit: AuditEntry) -> None:
        """Keep *plan* under its name, in the place of one that was there."""
        limit = plan.rate_limit
        arguments = {
            "p_name": plan.name,
            "p_operations": list(plan.operations),
            "p_models": list(plan.models),
            "p_rate_requests": limit.requests if limit else None,
            "p_rate_period": duration_text(limit.period) if limit else None,
            "p_rate_on_outage": plan.on_outage.value,
            "p_max_output_tokens": plan.max_output_tokens,
            "p_markup_bps": plan.markup_bps,
            "p_audit": audit_document(audit),
        }
        await settled(self._connections.call("put_plan", arguments, effect=Effect.CHANGES))

    async def plans(self) -> tuple[Plan, ...]:
        """Return all plans by name."""
        found: dict[str, Plan] = {}
        last: str | None = None
        while True:
            answer = await self._page(last)
            plans = read_rows(answer.rows, plan_from_row, port=self._port)
            found |= {plan.name: plan for plan in plans}
            if not plans or answer.count in (None, len(plans)):
                return tuple(found[name] for name in sorted(found))
            last = plans[-1].name

    async def subscribe(self, subscription: Subscription, *, audit: AuditEntry) -> None:
        """Give the account the plan, in the place of any subscription that it has."""
        arguments = {
            "p_account": subscription.account,
            "p_plan": subscription.plan,
            "p_starts_at": time_text(subscription.starts_at),
            "p_ends_at": time_or_none(subscription.ends_at),
            "p_audit": audit_document(audit),
        }
        await settled(self._connections.call("put_subscription", arguments, effect=Effect.CHANGES))

    async def plan_of(self, account: str, *, at: datetime) -> Plan | None:
        """Return the plan that the account has at *at*, or None."""
        arguments = {"p_account": account, "p_at": time_text(at)}
        rows = await self._connections.call("plan_of", arguments, effect=Effect.READS)
        for plan in read_rows(rows, plan_from_row, port=self._port):
            return plan
        return None

    async def _page(self, last: str | None) -> Answer:
        """Ask for the plans after the one named *last*, in the database's own order."""

        def build(client: AsyncPostgrestClient) -> object:
            request = client.rpc("all_plans", {}, count=CountMethod.exact).order("name")
            return request if last is None else request.gt("name", last)

        return await self._connections.ask(build, effect=Effect.READS)
