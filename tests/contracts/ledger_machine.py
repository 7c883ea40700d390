"""A state machine that makes calls in any order and compares a ledger to a simple model.

::

    @asynccontextmanager
    async def open_ledger():
        async with MyStore(...) as store:
            yield store.ledger

    TestMyLedgerMachine = ledger_machine(open_ledger).TestCase

It needs hypothesis (``pip install 'tollkeeper[contracts]'``). Each example opens a ledger of its
own; the accounts and ids are new each time, so that the store behind it may be in use.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime, timedelta

from attrs import evolve
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tollkeeper.contracts.ledger_calls import Call, Made, boiled_down
from tollkeeper.contracts.ledger_model import LedgerModel, ModelHold, Purse
from tollkeeper.contracts.samples import new_id
from tollkeeper.domain.money import Money
from tollkeeper.ports.ledger import Ledger

OpenLedger = Callable[[], AbstractAsyncContextManager[Ledger]]

ACCOUNTS = st.sampled_from(["a", "b"])
CURRENCIES = st.sampled_from(["USD", "USD", "EUR"])
TEXTS = st.sampled_from(["", "a text"])
NANOS = st.integers(0, 9)
ANY = st.integers(0, 15)
"""Chooses one of many, counted from the latest."""
LIMITS = st.sampled_from([1, 1, 2, 1000])
MICROSECOND = timedelta(microseconds=1)


class LedgerMachine(RuleBasedStateMachine):
    """Makes calls; :func:`ledger_machine` gives it ledgers to make them to."""

    open_ledger: OpenLedger

    @initialize()
    def open(self) -> None:
        """Begin with an empty model and accounts that nobody used."""
        self.run_id = new_id("contract")
        self.model = LedgerModel()
        self.now = datetime(2001, 1, 1, 12, tzinfo=UTC)
        self.calls: list[Call] = []
        self.touched: set[Purse] = set()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        opened = type(self).open_ledger()
        self.ledger: Ledger = self.runner.run(self.stack.enter_async_context(opened))
        for account in ("a", "b"):  # runs that never grant would see little else than refusals
            self.grant(account, "USD", 30, "")

    def teardown(self) -> None:
        """Close the ledger."""
        try:
            self.runner.run(self.stack.aclose())
        finally:
            self.runner.close()

    @rule(account=ACCOUNTS, currency=CURRENCIES, nanos=st.integers(1, 20), text=TEXTS)
    def grant(self, account: str, currency: str, nanos: int, text: str) -> None:
        """Add credit."""
        key = f"key {len(self.model.grants)}"
        self.make(Call("grant", self.name(account), Money(nanos, currency), key, text))

    @rule(account=ACCOUNTS, currency=CURRENCIES, nanos=NANOS, text=TEXTS)
    def place_hold(self, account: str, currency: str, nanos: int, text: str) -> None:
        """Set money aside; the key may be one that a refused hold or a grant was given."""
        key = f"key {len(self.model.holds)}"
        self.make(Call("place_hold", self.name(account), Money(nanos, currency), key, text))

    @precondition(lambda self: self.model.holds)
    @rule(which=ANY, nanos=NANOS, quantity=st.integers(0, 1))
    def capture(self, which: int, nanos: int, quantity: int) -> None:
        """Take money for any hold, whatever its state."""
        hold = self.any_hold(which)
        account, currency = hold.purse
        amount = Money(nanos, currency)
        self.make(Call("capture", account, amount, hold_id=hold.id, quantity=quantity))

    @precondition(lambda self: self.model.holds)
    @rule(which=ANY)
    def release(self, which: int) -> None:
        """Give any hold back, whatever its state."""
        hold = self.any_hold(which)
        account, currency = hold.purse
        self.make(Call("release", account, Money.zero(currency), hold_id=hold.id))

    @rule(account=ACCOUNTS, limit=LIMITS)
    def expire(self, account: str, limit: int) -> None:
        """Give back what is overdue, if anything is."""
        self.make_expire(self.name(account), limit)

    @precondition(lambda self: self.model.holds)
    @rule(which=ANY, limit=LIMITS)
    def wait_and_expire(self, which: int, limit: int) -> None:
        """Let time pass until a hold is overdue, and give back what is."""
        hold = self.any_hold(which)
        self.now = max(self.now, hold.expires_at)
        self.make_expire(hold.purse[0], limit)

    @precondition(lambda self: self.calls)
    @rule(which=ANY)
    def replay(self, which: int) -> None:
        """Make an earlier call again, with the same arguments."""
        self.make(self.calls[-1 - which % len(self.calls)])

    @precondition(lambda self: self.model.holds)
    @rule(which=ANY)
    def wait_and_replay(self, which: int) -> None:
        """Let time pass until a hold is overdue, and place it again."""
        hold = self.any_hold(which)
        self.now = max(self.now, hold.expires_at)
        keys = [key for key, hold_id in self.model.hold_of_key.items() if hold_id == hold.id]
        made = [call for call in self.calls if call.method == "place_hold"]
        self.make(next(call for call in reversed(made) if (call.account, call.key) in keys))

    @precondition(lambda self: self.calls)
    @rule(which=ANY, what=st.sampled_from(["amount", "currency", "text", "quantity", "account"]))
    def replay_with_other_arguments(self, which: int, what: str) -> None:
        """Make an earlier call again, with one argument changed."""
        call = self.calls[-1 - which % len(self.calls)]
        other = "EUR" if call.amount.currency == "USD" else "USD"
        if what == "account" and call.key:
            call = evolve(call, account=self.name("a" if call.account.endswith("b") else "b"))
        elif what == "text" and call.key:
            call = evolve(call, text=call.text + "!")
        elif what == "currency" and call.key:
            call = evolve(call, amount=Money(call.amount.nanos, other))
        elif what == "quantity":
            call = evolve(call, quantity=call.quantity + 1)
        else:
            call = evolve(call, amount=Money(call.amount.nanos + 1, call.amount.currency))
        self.make(call)

    @precondition(lambda self: self.model.holds)
    @rule(which=ANY, short_of=st.sampled_from([0, 0, 0, 1]))
    def wait(self, which: int, short_of: int) -> None:
        """Let time pass to the moment at which a hold is overdue, or just short of it.

        The books of all accounts are looked at meanwhile, whoever was named last.
        """
        expiry = self.any_hold(which).expires_at
        self.now = max(self.now, expiry - short_of * MICROSECOND)
        names = map(self.name, ("a", "b"))
        self.touched = {(name, currency) for name in names for currency in ("USD", "EUR")}

    @invariant()
    def books_agree_with_the_model(self) -> None:
        """Posted is the sum of the entries, held that of the open holds; no sequence has a gap."""
        for purse in self.touched:
            account, currency = purse
            balance = self.runner.run(self.ledger.balance(account=account, currency=currency))
            entries = self.runner.run(
                self.ledger.entries(account=account, currency=currency, limit=1000)
            )
            assert [(e.id, e.amount.nanos) for e in entries] == self.model.entries.get(purse, [])
            assert [e.sequence for e in entries] == list(range(1, len(entries) + 1))
            assert balance.sequence == len(entries)
            assert balance.posted.nanos == self.model.posted(purse)
            assert not entries or balance.posted == entries[-1].balance_after
            assert balance.held.nanos == self.model.held(purse)
        self.touched = set()

    def make(self, call: Call) -> None:
        """Make *call* to the ledger and to the model, and compare what they answer."""
        self.calls.append(call)
        self.now += MICROSECOND  # so that no two holds expire at the same time
        holds = len(self.model.holds)
        expected, made = call.make(self.model, self.ledger, at=self.now)
        answer = self.run(made)
        assert answer == expected, f"{call} gave {answer}, not {expected}"
        self.touched.add((call.account, call.amount.currency))
        if len(self.model.holds) > holds:
            self.nothing_is_overdrawn(call.account, call.amount.currency)
        if answer == "InsufficientCredit":
            # Whether a refused call has freed what was overdue is the ledger's own choice.
            self.model.expire(call.account, len(self.model.holds), self.now)
            self.run(self.ledger.expire(at=self.now, account=call.account))

    def make_expire(self, account: str, limit: int) -> None:
        """Expire holds of the ledger and of the model, and compare which they were."""
        expected = self.model.expire(account, limit, self.now)
        answer = self.run(self.ledger.expire(at=self.now, account=account, limit=limit))
        assert answer == expected
        self.touched = {(account, "USD"), (account, "EUR")}

    def nothing_is_overdrawn(self, account: str, currency: str) -> None:
        """See that what a new hold took was there."""
        balance = self.runner.run(self.ledger.balance(account=account, currency=currency))
        assert balance.available.nanos >= 0, f"{balance} is overdrawn"

    def run(self, made: Made) -> str:
        """Await a call that was made and boil its answer down to what the model says."""
        return self.runner.run(boiled_down(made))

    def any_hold(self, which: int) -> ModelHold:
        """Choose a hold."""
        holds = list(self.model.holds.values())
        return holds[-1 - which % len(holds)]

    def name(self, account: str) -> str:
        """Name the account of this run."""
        return f"{self.run_id}-{account}"


def ledger_machine(
    open_ledger: OpenLedger, *, examples: int = 60, steps: int = 40
) -> type[RuleBasedStateMachine]:
    """Make a state machine over the ledgers that *open_ledger* opens, one for each example.

    Its ``TestCase`` is what pytest collects. It runs an event loop of its own.
    """

    class Machine(LedgerMachine):
        pass

    Machine.open_ledger = staticmethod(open_ledger)
    Machine.TestCase.settings = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    return Machine
