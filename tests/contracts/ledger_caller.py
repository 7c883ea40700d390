"""Short ways to call a ledger, which the parts of its suite share."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from attrs import evolve, frozen

from tollkeeper.contracts.contract import Contract
from tollkeeper.contracts.samples import new_id, usd
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.ledger import Balance, Entry, Hold
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent
from tollkeeper.ports.ledger import Ledger

LIFE_OF_A_HOLD = timedelta(minutes=10)


@frozen
class Caller:
    """Calls *ledger* for *account*, at the time *now*; ids are new for each call."""

    ledger: Ledger
    account: str
    now: datetime

    def later(self, **passed: float) -> "Caller":
        """The same caller after a while: ``caller.later(minutes=10)``."""
        return evolve(self, now=self.now + timedelta(**passed))

    def of(self, suffix: str) -> "Caller":
        """A caller for another account."""
        return evolve(self, account=f"{self.account}-{suffix}")

    async def grant(self, amount: Money, key: str = "a grant", *, description: str = "") -> Entry:
        """Grant *amount*."""
        return await self.ledger.grant(
            account=self.account,
            amount=amount,
            idempotency_key=key,
            entry_id=new_id("entry"),
            at=self.now,
            description=description,
        )

    async def place(
        self,
        amount: Money,
        key: str = "a hold",
        *,
        purpose: str = "a call",
        lives: timedelta = LIFE_OF_A_HOLD,
        hold_id: str | None = None,
    ) -> Hold:
        """Place a hold."""
        return await self.ledger.place_hold(
            hold_id=hold_id or new_id("hold"),
            account=self.account,
            amount=amount,
            purpose=purpose,
            idempotency_key=key,
            expires_at=self.now + lives,
            at=self.now,
        )

    async def capture(
        self,
        hold: Hold,
        amount: Money,
        usage: Sequence[UsageEvent] = (),
        *,
        attempts: Sequence[Attempt] = (),
    ) -> Entry:
        """Capture *amount* for *hold*."""
        return await self.ledger.capture(
            hold_id=hold.id,
            amount=amount,
            usage=usage,
            entry_id=new_id("entry"),
            at=self.now,
            attempts=attempts,
        )

    async def release(self, hold: Hold, *, attempts: Sequence[Attempt] = ()) -> Hold:
        """Release *hold*."""
        return await self.ledger.release(hold_id=hold.id, at=self.now, attempts=attempts)

    async def expire(self, *, limit: int = 1000) -> tuple[Hold, ...]:
        """Expire holds of this account."""
        return await self.ledger.expire(at=self.now, account=self.account, limit=limit)

    async def balance(self, currency: str = "USD") -> Balance:
        """Return the account's balance."""
        return await self.ledger.balance(account=self.account, currency=currency)

    async def entries(self, currency: str = "USD") -> tuple[Entry, ...]:
        """Return the account's first thousand entries."""
        return await self.ledger.entries(account=self.account, currency=currency, limit=1000)

    async def books(self) -> tuple[Money, Money]:
        """Check the account's books in US dollars and return what is posted and what is held.

        The balance is the sum of the entries, each entry says the sum so far, and their
        sequence has no gap.
        """
        balance = await self.balance()
        entries = await self.entries()
        while balance != (again := await self.balance()):  # someone who gave up was still at it
            balance, entries = again, await self.entries()
        so_far = usd(0)
        for position, entry in enumerate(entries, start=1):
            so_far += entry.amount
            assert (entry.sequence, entry.balance_after) == (position, so_far)
        assert (balance.sequence, balance.posted) == (len(entries), so_far)
        assert balance.available == balance.posted - balance.held
        return balance.posted, balance.held


class LedgerSuite(Contract):
    """What each part of the ledger's suite needs: the fixture ``ledger``."""

    @pytest.fixture
    def caller(self, ledger: Ledger, account: str, now: datetime) -> Caller:
        """Call the ledger for a fresh account."""
        return Caller(ledger, account, now)
