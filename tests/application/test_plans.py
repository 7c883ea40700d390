"""Plans and subscriptions: what is malformed changes nothing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.world import open_world
from tollkeeper import Plan
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.domain.errors import InvalidRequest, NotFound

pytestmark = pytest.mark.anyio
LAST = datetime(9999, 12, 31, tzinfo=UTC)


async def test_a_subscription_runs_from_now_without_an_end(tmp_path: Path) -> None:
    clock = MemoryClock()
    async with open_world(tmp_path, clock=clock) as world:
        await world.tk.define_plan(Plan("pro"))
        subscription = await world.tk.subscribe_account(account="acme", plan="pro")
        assert (subscription.starts_at, subscription.ends_at) == (clock.now(), None)


async def test_a_subscription_may_start_in_any_time_zone(tmp_path: Path) -> None:
    start = datetime.fromisoformat("2030-01-01T00:00:00+02:00")
    async with open_world(tmp_path) as world:
        await world.tk.define_plan(Plan("pro"))
        subscription = await world.tk.subscribe_account(
            account="acme", plan="pro", starts_at=start, runs_for=timedelta(days=1)
        )
        assert subscription.starts_at.isoformat() == "2029-12-31T22:00:00+00:00"
        assert subscription.ends_at == start + timedelta(days=1)


@pytest.mark.parametrize(
    "arguments",
    [
        {"starts_at": "2030-01-01"},
        {"starts_at": 0},
        {"starts_at": ""},
        {"starts_at": LAST.date()},
        {"starts_at": LAST.replace(tzinfo=None)},
        {"starts_at": LAST, "runs_for": timedelta(days=30)},
        {"starts_at": datetime.fromisoformat("9999-12-31T23:00:00-12:00")},
        {"runs_for": timedelta(0)},
        {"runs_for": timedelta.max},
        {"runs_for": 30},
        {"plan": None},
        {"plan": 5},
        {"plan": ["pro"]},
        {"plan": b"pro"},
        {"plan": ""},
        {"plan": "pro\n"},
        {"plan": "x" * 65},
        {"account": None},
        {"account": "a b"},
        {"actor": 5},
        {"actor": "\x1b[31m"},
    ],
    ids=str,
)
@pytest.mark.parametrize("store", ["memory://", "sqlite:///{}/plans.db"], ids=["memory", "sqlite"])
async def test_a_bad_subscription_changes_nothing(
    tmp_path: Path, arguments: dict[str, Any], store: str
) -> None:
    async with open_world(tmp_path, store=store.format(tmp_path)) as world:
        await world.tk.define_plan(Plan("pro"))
        with pytest.raises(InvalidRequest):
            await world.tk.subscribe_account(**{"account": "acme", "plan": "pro", **arguments})
        plans = world.tk.subscribe_account.plan_store
        now = world.tk.subscribe_account.clock.now()
        assert await plans.plan_of("acme", at=now) is None
        assert await plans.plan_of("acme", at=LAST) is None
        assert await world.tk.list_audit(account="acme") == ()


async def test_an_unknown_plan_is_not_found(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        with pytest.raises(NotFound):
            await world.tk.subscribe_account(account="acme", plan="pro")
        assert await world.tk.list_audit(account="acme") == ()


@pytest.mark.parametrize(
    ("plan", "actor"),
    [
        (None, "host"),
        ("pro", "host"),
        ({"name": "pro"}, "host"),
        (Plan("pro"), None),
        (Plan("pro"), "a\nb"),
        (Plan("pro"), "x" * 256),
    ],
    ids=repr,
)
async def test_a_bad_plan_is_not_defined(tmp_path: Path, plan: Any, actor: Any) -> None:
    async with open_world(tmp_path) as world:
        with pytest.raises(InvalidRequest):
            await world.tk.define_plan(plan, actor=actor)
        assert await world.tk.define_plan.plan_store.plans() == ()
