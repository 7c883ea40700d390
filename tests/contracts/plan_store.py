"""The contract of :class:`tollkeeper.ports.plan_store.PlanStore`."""

import asyncio
from datetime import datetime, timedelta

import pytest
from attrs import evolve

from tollkeeper.contracts.audit_turns import Change, kept_in_turn, refused_out_of_turn
from tollkeeper.contracts.contract import Contract
from tollkeeper.contracts.samples import an_audit_entry
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import NotFound
from tollkeeper.domain.key_limits import OnOutage
from tollkeeper.domain.plans import Plan, Subscription
from tollkeeper.domain.rate_limits import RateLimit
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.plan_store import PlanStore


class PlanStoreContract(Contract):
    """What every plan store promises. Fixtures: ``plan_store``, ``audit_log`` of the same store.

    Plans belong to no account: the suite's are called ``contract-…``, and nobody else has them.
    """

    @pytest.fixture
    def plan(self, account: str) -> Plan:
        """A plan that nobody else uses."""
        return Plan(name=account[:60])

    @pytest.fixture
    def audit(self, account: str, now: datetime) -> AuditEntry:
        """What is written with the first change of a test."""
        return an_audit_entry(account, at=now, action="plan.changed")

    async def test_plan_comes_back_as_given(
        self, plan_store: PlanStore, plan: Plan, audit: AuditEntry, now: datetime
    ) -> None:
        plan = Plan(
            name=plan.name,
            operations=("chat:*", "audio:transcribe"),
            models=("offline/*", "openai/gpt-?"),
            rate_limit=RateLimit(requests=7, period=timedelta(seconds=90)),
            max_output_tokens=4096,
            markup_bps=1250,
        )
        await plan_store.put(plan, audit=audit)
        assert plan in await plan_store.plans()

    @pytest.mark.parametrize("policy", [*OnOutage])
    async def test_what_a_limit_does_on_an_outage_comes_back(
        self,
        plan_store: PlanStore,
        plan: Plan,
        audit: AuditEntry,
        account: str,
        now: datetime,
        policy: OnOutage,
    ) -> None:
        await plan_store.put(plan, audit=audit)
        plan = evolve(plan, rate_limit=RateLimit(7, timedelta(seconds=1)), on_outage=policy)
        await plan_store.put(plan, audit=an_audit_entry(account, at=now))
        assert plan in await plan_store.plans()
        subscription = Subscription(account, plan.name, now)
        await plan_store.subscribe(subscription, audit=an_audit_entry(account, at=now))
        assert await plan_store.plan_of(account, at=now) == plan

    async def test_change_out_of_turn_is_refused_whole(
        self, plan_store: PlanStore, audit_log: AuditLog, plan: Plan, account: str, now: datetime
    ) -> None:
        async def refused(change: Change) -> None:
            await refused_out_of_turn(change, audit_log, account, at=now)

        subscription = Subscription(account, plan.name, now)
        await refused(lambda audit: plan_store.put(plan, audit=audit))
        assert plan not in await plan_store.plans()
        await plan_store.put(plan, audit=an_audit_entry(account, at=now))
        dearer = evolve(plan, markup_bps=500)
        await refused(lambda audit: plan_store.put(dearer, audit=audit))
        await refused(lambda audit: plan_store.subscribe(subscription, audit=audit))
        assert plan in await plan_store.plans()
        assert await plan_store.plan_of(account, at=now) is None

    async def test_change_in_turn_is_kept_with_its_place(
        self, plan_store: PlanStore, audit_log: AuditLog, plan: Plan, account: str, now: datetime
    ) -> None:
        async def kept(change: Change) -> None:
            await kept_in_turn(change, audit_log, account, at=now)

        subscription = Subscription(account, plan.name, now)
        await kept(lambda audit: plan_store.put(plan, audit=audit))
        await kept(lambda audit: plan_store.subscribe(subscription, audit=audit))
        assert await plan_store.plan_of(account, at=now) == plan

    async def test_plans_come_by_name(
        self, plan_store: PlanStore, plan: Plan, account: str, now: datetime
    ) -> None:
        plans = [evolve(plan, name=f"{plan.name}-{n}") for n in (3, 1, 2)]
        for each in plans:
            await plan_store.put(each, audit=an_audit_entry(account, at=now))
        seen = [each.name for each in await plan_store.plans() if plan.name in each.name]
        assert seen == [f"{plan.name}-{n}" for n in (1, 2, 3)]

    async def test_plan_is_replaced_by_one_of_its_name(
        self,
        plan_store: PlanStore,
        audit_log: AuditLog,
        plan: Plan,
        audit: AuditEntry,
        account: str,
        now: datetime,
    ) -> None:
        await plan_store.put(plan, audit=audit)
        subscribed = an_audit_entry(account, at=now)
        await plan_store.subscribe(Subscription(account, plan.name, now), audit=subscribed)
        dearer, replaced = evolve(plan, markup_bps=500), an_audit_entry(account, at=now)
        await plan_store.put(dearer, audit=replaced)
        assert [each for each in await plan_store.plans() if each.name == plan.name] == [dearer]
        assert await plan_store.plan_of(account, at=now) == dearer
        assert await audit_log.entries(account=account) == (audit, subscribed, replaced)

    async def test_account_without_subscription_has_no_plan(
        self, plan_store: PlanStore, plan: Plan, audit: AuditEntry, account: str, now: datetime
    ) -> None:
        await plan_store.put(plan, audit=audit)
        assert await plan_store.plan_of(account, at=now) is None
        assert await plan_store.plan_of(f"{account}-other", at=now) is None

    async def test_plan_holds_while_the_subscription_runs(
        self, plan_store: PlanStore, plan: Plan, audit: AuditEntry, account: str, now: datetime
    ) -> None:
        await plan_store.put(plan, audit=audit)
        moment, end = timedelta(microseconds=1), now + timedelta(days=30)
        for ends_at, at, runs in [
            (end, now - moment, False),
            (end, now, True),
            (end, end - moment, True),
            (end, end, False),
            (None, now + timedelta(days=40_000), True),
        ]:
            subscription = Subscription(account, plan.name, now, ends_at)
            await plan_store.subscribe(subscription, audit=an_audit_entry(account, at=now))
            assert await plan_store.plan_of(account, at=at) == (plan if runs else None)

    async def test_account_has_one_subscription(
        self, plan_store: PlanStore, plan: Plan, audit: AuditEntry, account: str, now: datetime
    ) -> None:
        other = evolve(plan, name=f"{plan.name}-b")
        await plan_store.put(plan, audit=audit)
        await plan_store.put(other, audit=an_audit_entry(account, at=now))
        soon = now + timedelta(days=1)
        for name, starts_at in ((plan.name, now), (other.name, soon)):
            subscription = Subscription(account, name, starts_at)
            await plan_store.subscribe(subscription, audit=an_audit_entry(account, at=now))
        assert await plan_store.plan_of(account, at=now) is None
        assert await plan_store.plan_of(account, at=soon) == other

    async def test_accounts_do_not_share_subscriptions(
        self, plan_store: PlanStore, plan: Plan, audit: AuditEntry, account: str, now: datetime
    ) -> None:
        await plan_store.put(plan, audit=audit)
        subscription = Subscription(account, plan.name, now)
        await plan_store.subscribe(subscription, audit=an_audit_entry(account, at=now))
        assert await plan_store.plan_of(account, at=now) == plan
        assert await plan_store.plan_of(f"{account}-other", at=now) is None

    async def test_unknown_plan_is_not_subscribed_to(
        self,
        plan_store: PlanStore,
        audit_log: AuditLog,
        plan: Plan,
        audit: AuditEntry,
        account: str,
        now: datetime,
    ) -> None:
        unknown = Subscription(account, plan.name, now)
        with pytest.raises(NotFound):
            await plan_store.subscribe(unknown, audit=audit)
        assert await plan_store.plan_of(account, at=now) is None
        assert await audit_log.entries(account=account) == ()
        known = evolve(plan, name=f"{plan.name}-b")
        subscribed = (audit, an_audit_entry(account, at=now))
        await plan_store.put(known, audit=subscribed[0])
        await plan_store.subscribe(evolve(unknown, plan=known.name), audit=subscribed[1])
        with pytest.raises(NotFound):
            await plan_store.subscribe(unknown, audit=an_audit_entry(account, at=now))
        assert await plan_store.plan_of(account, at=now) == known
        assert await audit_log.entries(account=account) == subscribed

    async def test_concurrent_changes_leave_one_plan(
        self, plan_store: PlanStore, audit_log: AuditLog, plan: Plan, account: str, now: datetime
    ) -> None:
        await asyncio.gather(
            *(
                plan_store.put(evolve(plan, markup_bps=n), audit=an_audit_entry(account, at=now))
                for n in range(16)
            )
        )
        assert [each.name for each in await plan_store.plans()].count(plan.name) == 1
        assert len(await audit_log.entries(account=account)) == 16

    @pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 8, 20, 60])
    async def test_cancelled_change_is_whole(
        self,
        plan_store: PlanStore,
        audit_log: AuditLog,
        plan: Plan,
        audit: AuditEntry,
        account: str,
        now: datetime,
        ticks: int,
    ) -> None:
        task = asyncio.ensure_future(plan_store.put(plan, audit=audit))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # A second change goes through after the first has happened, or never will.
        other = evolve(plan, name=f"{plan.name}-b")
        second = an_audit_entry(account, at=now)
        await plan_store.put(other, audit=second)
        seen = {each.name for each in await plan_store.plans()}
        assert other.name in seen
        happened = plan.name in seen
        assert await audit_log.entries(account=account) == ((audit,) if happened else ()) + (
            second,
        )
