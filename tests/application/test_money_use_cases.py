"""Granting, charging, reporting, and giving holds back."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.application.world import open_world
from tollkeeper import Money, user
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.domain.errors import (
    IdempotencyConflict,
    InsufficientCredit,
    InvalidRequest,
    TollkeeperError,
    Unsupported,
)

pytestmark = pytest.mark.anyio


async def test_a_grant_counts_once_for_each_key(tmp_path: Path) -> None:
    async with open_world(tmp_path, credit="0") as world:
        grants = [
            world.tk.grant_credit(
                account="acme", amount=Money.of("5.00", "USD"), idempotency_key="welcome"
            )
            for _ in range(10)
        ]
        entries = await asyncio.gather(*grants)
        assert len(set(entries)) == 1
        assert await world.balance() == ("5.00", "0.00")
        with pytest.raises(IdempotencyConflict):
            await world.tk.grant_credit(
                account="acme", amount=Money.of("6.00", "USD"), idempotency_key="welcome"
            )


@pytest.mark.parametrize(
    "arguments",
    [
        {"amount": Money.zero("USD")},
        {"amount": Money(-1, "USD")},
        {"amount": "5.00"},
        {"amount": 5.0},
        {"amount": None},
        {"account": None},
        {"account": 5},
        {"idempotency_key": None},
        {"idempotency_key": 0},
        {"idempotency_key": b"k"},
        {"description": None},
        {"description": 5},
        {"account": "a b"},
        {"idempotency_key": ""},
        {"idempotency_key": "k" * 300},
        {"description": "\x1b[31m"},
    ],
    ids=str,
)
async def test_a_bad_grant_changes_nothing(tmp_path: Path, arguments: dict[str, object]) -> None:
    async with open_world(tmp_path, credit="0") as world:
        good = {"account": "acme", "amount": Money.of("5", "USD"), "idempotency_key": "k"}
        with pytest.raises(InvalidRequest):
            await world.tk.grant_credit(**{**good, **arguments})  # type: ignore[arg-type]
        assert await world.balance() == ("0.00", "0.00")


async def test_measured_usage_is_charged_once(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:

        async def charge() -> object:
            return await world.tk.charge_usage(
                account="acme",
                model="tokens/m",
                operation="agent:run",
                quantities={"input_tokens": 100, "output_tokens": 50},
                idempotency_key="run 7",
            )

        receipts = await asyncio.gather(*(charge() for _ in range(10)))
        assert len({getattr(receipt, "entry_id", None) for receipt in receipts}) == 1
        assert await world.balance() == ("0.9998", "0.00")
        report = await world.tk.report_usage(account="acme")
        assert {(total.operation, total.quantity) for total in report.totals} == {
            ("agent:run", 100),
            ("agent:run", 50),
        }


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"quantities": {"miles": 5}}, InvalidRequest),
        ({"quantities": {"input_tokens": -1}}, InvalidRequest),
        ({"quantities": {"input_tokens": 1.5}}, InvalidRequest),
        ({"quantities": {}}, InvalidRequest),
        ({"quantities": None}, InvalidRequest),
        ({"quantities": 5}, InvalidRequest),
        ({"quantities": "input_tokens"}, InvalidRequest),
        ({"quantities": [("input_tokens", 1)]}, InvalidRequest),
        ({"quantities": {None: 1}}, InvalidRequest),
        ({"quantities": {"input_tokens": True}}, InvalidRequest),
        ({"quantities": {"input_tokens": 10**30}}, InvalidRequest),
        ({"model": None}, InvalidRequest),
        ({"operation": None}, InvalidRequest),
        ({"account": None}, InvalidRequest),
        ({"idempotency_key": None}, InvalidRequest),
        ({"quantities": {"input_tokens": 10**9}}, InsufficientCredit),
        ({"model": "nobody/m"}, Unsupported),
        ({"operation": "run"}, InvalidRequest),
        ({"account": ""}, InvalidRequest),
        ({"idempotency_key": ""}, InvalidRequest),
    ],
    ids=str,
)
async def test_usage_that_cannot_be_charged_changes_nothing(
    tmp_path: Path, arguments: dict[str, object], error: type[TollkeeperError]
) -> None:
    good = {
        "account": "acme",
        "model": "tokens/m",
        "operation": "agent:run",
        "quantities": {"input_tokens": 1},
        "idempotency_key": "k",
    }
    async with open_world(tmp_path) as world:
        with pytest.raises(error):
            await world.tk.charge_usage(**{**good, **arguments})  # type: ignore[arg-type]
        assert await world.balance() == ("1.00", "0.00")
        assert (await world.tk.report_usage(account="acme")).totals == ()


async def test_other_quantities_under_the_same_key_are_a_conflict(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        for quantity in (1, 2):
            charge = world.tk.charge_usage(
                account="acme",
                model="tokens/m",
                operation="agent:run",
                quantities={"input_tokens": quantity},
                idempotency_key="k",
            )
            if quantity == 1:
                await charge
            else:
                with pytest.raises(IdempotencyConflict):
                    await charge
        assert (await world.balance())[0] == "0.999999"


async def test_reports_are_limited_to_their_period(tmp_path: Path) -> None:
    clock = MemoryClock()
    async with open_world(tmp_path, clock=clock) as world:
        start = clock.now()
        for _ in range(3):
            await world.tk.complete(world.principal, model="offline/echo", messages=[user("one")])
            clock.advance(timedelta(days=1))
        report = await world.tk.report_usage(
            account="acme", since=start + timedelta(days=1), until=start + timedelta(days=2)
        )
        assert [str(charge) for charge in report.charges] == ["0.01 USD"]
        assert "offline/echo" in str(report)
        assert "0.97 USD available" in str(report)
        with pytest.raises(InvalidRequest):
            await world.tk.report_usage(account="acme", since=start, until=start)
        with pytest.raises(InvalidRequest):
            await world.tk.report_usage(account="acme", since=start.replace(tzinfo=None))


async def test_holds_of_dead_processes_are_given_back(tmp_path: Path) -> None:
    clock = MemoryClock()
    store = f"sqlite:///{tmp_path}/ledger.db"
    async with open_world(tmp_path, store=store, clock=clock) as world:
        ledger = world.tk.grant_credit.ledger
        await ledger.place_hold(
            hold_id="call_of_the_dead",
            account="acme",
            amount=Money.of("0.60", "USD"),
            purpose="",
            idempotency_key="dead",
            expires_at=clock.now() + timedelta(minutes=10),
            at=clock.now(),
        )
        assert await world.tk.expire_holds() == ()
        clock.advance(timedelta(minutes=10))
        assert [hold.id for hold in await world.tk.expire_holds()] == ["call_of_the_dead"]
        assert await world.balance() == ("1.00", "0.00")


async def test_opening_a_facade_gives_overdue_holds_back(tmp_path: Path) -> None:
    clock = MemoryClock()
    store = f"sqlite:///{tmp_path}/ledger.db"
    async with open_world(tmp_path, store=store, clock=clock) as world:
        await world.tk.grant_credit.ledger.place_hold(
            hold_id="call_of_the_dead",
            account="acme",
            amount=Money.of("1.00", "USD"),
            purpose="",
            idempotency_key="dead",
            expires_at=clock.now() + timedelta(minutes=10),
            at=clock.now(),
        )
    clock.advance(timedelta(hours=1))
    async with open_world(tmp_path, store=store, clock=clock) as world:
        assert await world.balance() == ("1.00", "0.00")


@pytest.mark.parametrize("field", ["since", "until"])
@pytest.mark.parametrize("bad", [0, "", False, (), 0.0, "2030-01-01", 5], ids=repr)
async def test_a_period_is_made_of_times(tmp_path: Path, field: str, bad: Any) -> None:
    async with open_world(tmp_path) as world:
        with pytest.raises(InvalidRequest):
            await world.tk.report_usage(account="acme", **{field: bad})


@pytest.mark.parametrize(
    "arguments",
    [
        {"currency": ""},
        {"currency": 0},
        {"currency": 5},
        {"currency": b"USD"},
        {"currency": ["USD"]},
        {"currency": "usd"},
        {"after": -1},
        {"after": "1"},
        {"after": None},
        {"limit": 0},
        {"limit": None},
        {"account": None},
    ],
    ids=str,
)
async def test_entries_are_asked_for_properly(tmp_path: Path, arguments: dict[str, Any]) -> None:
    async with open_world(tmp_path) as world:
        with pytest.raises(InvalidRequest):
            await world.tk.list_entries(**{"account": "acme", **arguments})


@pytest.mark.parametrize("store", ["memory://", "sqlite:///{}/ledger.db"], ids=["memory", "sqlite"])
async def test_no_entry_comes_after_the_largest_number(tmp_path: Path, store: str) -> None:
    async with open_world(tmp_path, store=store.format(tmp_path)) as world:
        assert await world.tk.list_entries(account="acme", after=2**63 - 1) == ()
        with pytest.raises(InvalidRequest):
            await world.tk.list_entries(account="acme", after=2**63)


@pytest.mark.parametrize("nobody", [None, "acme", 5, b"key", {"account": "acme"}], ids=repr)
async def test_calls_are_made_by_a_principal(tmp_path: Path, nobody: Any) -> None:
    async with open_world(tmp_path) as world:
        with pytest.raises(InvalidRequest):
            await world.tk.complete(nobody, model="offline/echo", messages=[user("Hi")])
        stream = world.tk.stream_completion(nobody, model="offline/echo", messages=[user("Hi")])
        with pytest.raises(InvalidRequest):
            _ = [delta async for delta in stream]
        admissions = world.tk.charge_usage.admissions
        for ask in (admissions.admit, admissions.entitle):
            with pytest.raises(InvalidRequest):
                await ask(nobody, operation="chat:complete", model="offline/echo", meters=())
        assert await world.balance() == ("1.00", "0.00")
