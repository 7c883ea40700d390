"""The ledger's contract: grants, balances and entries."""

import asyncio

import pytest

from tollkeeper.contracts.ledger_caller import Caller, LedgerSuite
from tollkeeper.contracts.samples import ODD_TEXT, new_id, usd
from tollkeeper.domain.errors import IdempotencyConflict, InvalidRequest
from tollkeeper.domain.ledger import Balance, Entry, EntryKind
from tollkeeper.domain.money import LARGEST_NANOS, Money


class LedgerGrants(LedgerSuite):
    """Credit that is added, and how it is seen."""

    async def test_account_never_named_has_nothing(self, caller: Caller) -> None:
        zero = Money.zero("USD")
        assert await caller.balance() == Balance(caller.account, posted=zero, held=zero)
        assert await caller.entries() == ()

    async def test_grant_adds_credit(self, caller: Caller) -> None:
        entry_id = new_id("entry")
        entry = await caller.ledger.grant(
            account=caller.account,
            amount=usd("5.25"),
            idempotency_key="welcome",
            entry_id=entry_id,
            at=caller.now,
            description="a welcome",
        )
        assert entry == Entry(
            id=entry_id,
            account=caller.account,
            sequence=1,
            kind=EntryKind.GRANT,
            amount=usd("5.25"),
            balance_after=usd("5.25"),
            at=caller.now,
            description="a welcome",
            idempotency_key="welcome",
        )
        assert await caller.entries() == (entry,)
        assert await caller.balance() == Balance(caller.account, usd("5.25"), usd(0), sequence=1)

    async def test_grants_add_up_without_gaps(self, caller: Caller) -> None:
        entries = [
            await caller.later(microseconds=n).grant(Money(n, "USD"), f"grant {n}")
            for n in range(1, 8)
        ]
        assert await caller.entries() == tuple(entries)
        assert await caller.books() == (Money(28, "USD"), usd(0))

    async def test_replayed_grant_returns_the_first_entry(self, caller: Caller) -> None:
        first = await caller.grant(usd(5), "once", description="a gift")
        await caller.grant(usd(1), "another")
        later = caller.later(days=400)
        assert await later.grant(usd(5), "once", description="a gift") == first
        assert await caller.books() == (usd(6), usd(0))

    @pytest.mark.parametrize(
        ("amount", "description"),
        [(usd(6), "a gift"), (Money.of(5, "EUR"), "a gift"), (usd(5), "a refund")],
        ids=["amount", "currency", "description"],
    )
    async def test_grant_key_is_not_used_for_anything_else(
        self, caller: Caller, amount: Money, description: str
    ) -> None:
        await caller.grant(usd(5), "once", description="a gift")
        with pytest.raises(IdempotencyConflict):
            await caller.grant(amount, "once", description=description)
        assert await caller.books() == (usd(5), usd(0))
        assert await caller.entries("EUR") == ()

    @pytest.mark.parametrize("nanos", [0, -1])
    async def test_grant_must_be_positive(self, caller: Caller, nanos: int) -> None:
        with pytest.raises(InvalidRequest):
            await caller.grant(Money(nanos, "USD"), "once")
        assert await caller.books() == (usd(0), usd(0))
        await caller.grant(usd(1), "once")

    async def test_largest_balance_is_kept_exactly(self, caller: Caller) -> None:
        await caller.grant(Money(LARGEST_NANOS - 1, "USD"), "nearly all")
        await caller.grant(Money(1, "USD"), "the rest")
        assert await caller.books() == (Money(LARGEST_NANOS, "USD"), usd(0))

    async def test_balance_beyond_64_bits_is_refused(self, caller: Caller) -> None:
        await caller.grant(Money(LARGEST_NANOS - 1, "USD"), "nearly all")
        with pytest.raises(InvalidRequest):
            await caller.grant(Money(2, "USD"), "too much")
        assert await caller.books() == (Money(LARGEST_NANOS - 1, "USD"), usd(0))
        await caller.grant(Money(1, "USD"), "too much")
        assert await caller.books() == (Money(LARGEST_NANOS, "USD"), usd(0))

    async def test_accounts_do_not_share_grants_or_keys(self, caller: Caller) -> None:
        other = caller.of("other")
        await caller.grant(usd(5), "once")
        await other.grant(usd(7), "once")
        assert await caller.books() == (usd(5), usd(0))
        assert await other.books() == (usd(7), usd(0))

    async def test_currencies_are_kept_apart(self, caller: Caller) -> None:
        dollars = await caller.grant(usd(5), "dollars")
        euros = await caller.grant(Money.of(7, "EUR"), "euros")
        assert (dollars.sequence, euros.sequence) == (1, 1)
        assert await caller.entries("USD") == (dollars,)
        assert await caller.entries("EUR") == (euros,)
        assert (await caller.balance("EUR")).posted == Money.of(7, "EUR")
        assert await caller.books() == (usd(5), usd(0))

    async def test_texts_of_a_grant_come_back_as_given(self, caller: Caller) -> None:
        key = ODD_TEXT.ljust(255, "k")
        entry = await caller.grant(usd(5), key, description=ODD_TEXT)
        assert (entry.idempotency_key, entry.description) == (key, ODD_TEXT)
        assert await caller.entries() == (entry,)
        assert await caller.grant(usd(5), key, description=ODD_TEXT) == entry

    async def test_entries_come_in_pages(self, caller: Caller) -> None:
        entries = [await caller.grant(usd(1), f"grant {n}") for n in range(5)]
        seen: list[Entry] = []
        sizes = []
        while page := await caller.ledger.entries(
            account=caller.account, currency="USD", after=len(seen), limit=2
        ):
            seen += page
            sizes.append(len(page))
        assert seen == entries
        assert sizes == [2, 2, 1]

    async def test_concurrent_grants_with_one_key_make_one_entry(self, caller: Caller) -> None:
        answers = await asyncio.gather(*(caller.grant(usd(5), "once") for _ in range(32)))
        assert len(set(answers)) == 1
        assert await caller.books() == (usd(5), usd(0))

    async def test_concurrent_grants_are_all_counted(self, caller: Caller) -> None:
        answers = await asyncio.gather(*(caller.grant(usd(1), f"grant {n}") for n in range(32)))
        assert sorted(entry.sequence for entry in answers) == list(range(1, 33))
        assert await caller.books() == (usd(32), usd(0))
