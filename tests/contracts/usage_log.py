"""The contract of :class:`tollkeeper.ports.usage_log.UsageLog`."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from attrs import evolve

from tollkeeper.contracts.contract import Contract
from tollkeeper.contracts.samples import ODD_TEXT, a_usage_event, new_id, usd
from tollkeeper.domain.errors import IdempotencyConflict, InvalidRequest, NotFound
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.usage import UsageEvent, UsageTotal, total_charge
from tollkeeper.ports.ledger import Ledger
from tollkeeper.ports.usage_log import UsageLog

LARGEST_QUANTITY = 2**63 - 1


async def charge(ledger: Ledger, events: Sequence[UsageEvent]) -> None:
    """Grant what *events*, of one account and one currency, charge, and capture it."""
    first = events[0]
    hold_id = new_id("hold")
    amount = total_charge(events, currency=first.charge.currency)
    if amount:
        await ledger.grant(
            account=first.account,
            amount=amount,
            idempotency_key=hold_id,
            entry_id=new_id("entry"),
            at=first.occurred_at,
        )
    await ledger.place_hold(
        hold_id=hold_id,
        account=first.account,
        amount=amount,
        purpose="contract",
        idempotency_key=hold_id,
        expires_at=first.occurred_at + timedelta(minutes=10),
        at=first.occurred_at,
    )
    await ledger.capture(
        hold_id=hold_id,
        amount=amount,
        usage=events,
        entry_id=new_id("entry"),
        at=first.occurred_at,
    )


def in_order(events: Sequence[UsageEvent]) -> tuple[UsageEvent, ...]:
    """Sort *events* as the log does."""
    return tuple(sorted(events, key=lambda event: (event.occurred_at, event.id)))


class UsageLogContract(Contract):
    """What every usage log promises. Fixtures: ``usage_log``, ``ledger`` of the same store."""

    async def test_event_comes_back_as_given(
        self, usage_log: UsageLog, ledger: Ledger, account: str, now: datetime
    ) -> None:
        recorded = evolve(
            a_usage_event(account, at=now, quantity=LARGEST_QUANTITY),
            id=ODD_TEXT + new_id("event"),
            key_id="",
            model=f"offline/{ODD_TEXT}",
            price_id=ODD_TEXT,
            provenance=Provenance.ESTIMATED,
            cost=Money(-1, "EUR"),
            attempt=3,
        )
        charged = evolve(
            a_usage_event(account, at=now + timedelta(microseconds=1), charge=usd("0.000000001")),
            cost=usd(2),
            attempt=2,
        )
        await usage_log.record([recorded])
        await charge(ledger, [charged])
        assert await usage_log.events(account=account) == (recorded, charged)

    async def test_log_of_an_account_never_named_is_empty(
        self, usage_log: UsageLog, account: str
    ) -> None:
        assert await usage_log.events(account=account) == ()
        assert await usage_log.totals(account=account) == ()

    async def test_event_is_recorded_once(
        self, usage_log: UsageLog, account: str, now: datetime
    ) -> None:
        first, second = a_usage_event(account, at=now), a_usage_event(account, at=now)
        await usage_log.record([first, first])
        retold = evolve(first, occurred_at=now + timedelta(days=1))
        await usage_log.record([retold, second])
        await usage_log.record([])
        assert await usage_log.events(account=account) == in_order([first, second])

    async def test_event_is_never_measured_anew(
        self, usage_log: UsageLog, account: str, now: datetime
    ) -> None:
        event, new = a_usage_event(account, at=now), a_usage_event(account, at=now)
        other = f"{account}-other"
        await usage_log.record([event])
        for change in (
            evolve(event, quantity=event.quantity + 1),
            evolve(event, model="offline/other"),
            evolve(event, meter=Meter.OUTPUT_TOKENS),
            evolve(event, account=other),
        ):
            with pytest.raises(IdempotencyConflict):
                await usage_log.record([new, change])
        with pytest.raises(IdempotencyConflict):
            await usage_log.record([new, evolve(new, quantity=new.quantity + 1)])
        assert await usage_log.events(account=account) == (event,)
        assert await usage_log.events(account=other) == ()

    async def test_only_a_capture_charges(
        self, usage_log: UsageLog, account: str, now: datetime
    ) -> None:
        free = a_usage_event(account, at=now)
        with pytest.raises(InvalidRequest):
            await usage_log.record([free, a_usage_event(account, at=now, charge=Money(1, "USD"))])
        assert await usage_log.events(account=account) == ()

    async def test_captured_event_is_not_recorded_anew(
        self, usage_log: UsageLog, ledger: Ledger, account: str, now: datetime
    ) -> None:
        event = a_usage_event(account, at=now)
        await charge(ledger, [event])
        await usage_log.record([event])
        with pytest.raises(IdempotencyConflict):
            await usage_log.record([evolve(event, quantity=event.quantity + 1)])
        assert await usage_log.events(account=account) == (event,)

    async def test_accounts_do_not_see_one_another(
        self, usage_log: UsageLog, account: str, now: datetime
    ) -> None:
        mine, theirs = (a_usage_event(who, at=now) for who in (account, f"{account}-other"))
        await usage_log.record([mine, theirs])
        assert await usage_log.events(account=account) == (mine,)
        assert [total.events for total in await usage_log.totals(account=account)] == [1]
        with pytest.raises(NotFound):
            await usage_log.events(account=account, after=theirs.id)

    async def test_events_come_from_since_until_before_until(
        self, usage_log: UsageLog, account: str, now: datetime
    ) -> None:
        moments = [now + timedelta(microseconds=n) for n in (-1, 0, 1, 999_999, 1_000_000)]
        events = [a_usage_event(account, at=moment) for moment in moments]
        await usage_log.record(events[::-1])
        for first, last in [(0, 5), (1, 4), (2, 3), (1, 1)]:
            since = moments[first] if first else None
            until = moments[last] if last < 5 else None
            found = await usage_log.events(account=account, since=since, until=until)
            assert list(found) == events[first:last]
            totals = await usage_log.totals(account=account, since=since, until=until)
            assert sum(total.events for total in totals) == last - first

    async def test_events_come_in_pages(
        self, usage_log: UsageLog, account: str, now: datetime
    ) -> None:
        seconds = (0, 2, 1, 1, 0, 1, 3)
        events = [a_usage_event(account, at=now + timedelta(seconds=n)) for n in seconds]
        await usage_log.record(events)
        since, until = now + timedelta(seconds=1), now + timedelta(seconds=3)
        for bounds, expected in [
            ((None, None), events),
            ((since, until), events[1:4] + events[5:6]),
        ]:
            seen: list[UsageEvent] = []
            sizes = []
            while page := await usage_log.events(
                account=account,
                since=bounds[0],
                until=bounds[1],
                limit=2,
                after=seen[-1].id if seen else None,
            ):
                seen += page
                sizes.append(len(page))
            assert tuple(seen) == in_order(expected)
            assert sizes == [2] * (len(expected) // 2) + [1] * (len(expected) % 2)
        with pytest.raises(NotFound):
            await usage_log.events(account=account, after=new_id("event"))

    async def test_totals_add_up_each_kind_by_itself(
        self, usage_log: UsageLog, ledger: Ledger, account: str, now: datetime
    ) -> None:
        base = a_usage_event(account, at=now)
        kinds = [
            ("audio:transcribe", "b/two", Meter.AUDIO_MILLISECONDS, "USD"),
            ("chat:complete", "a/one", Meter.INPUT_TOKENS, "EUR"),
            ("chat:complete", "a/one", Meter.INPUT_TOKENS, "USD"),
            ("chat:complete", "a/one", Meter.OUTPUT_TOKENS, "USD"),
            ("chat:complete", "b/two", Meter.INPUT_TOKENS, "USD"),
        ]
        for operation, model, meter, currency in reversed(kinds):
            kind = evolve(base, operation=operation, model=model, meter=meter)
            reported = evolve(kind, id=new_id("event"), quantity=3, charge=Money(30, currency))
            estimated = evolve(reported, id=new_id("event"), provenance=Provenance.ESTIMATED)
            await charge(ledger, [reported, evolve(estimated, quantity=4)])
        assert await usage_log.totals(account=account) == tuple(
            UsageTotal(
                operation=operation,
                model=model,
                meter=meter,
                events=2,
                quantity=7,
                estimated=4,
                charge=Money(60, currency),
            )
            for operation, model, meter, currency in kinds
        )

    async def test_totals_are_exact_beyond_64_bits(
        self, usage_log: UsageLog, account: str, now: datetime
    ) -> None:
        await usage_log.record(
            [a_usage_event(account, at=now, quantity=LARGEST_QUANTITY) for _ in range(3)]
        )
        (total,) = await usage_log.totals(account=account)
        assert (total.quantity, total.estimated) == (3 * LARGEST_QUANTITY, 0)

    async def test_concurrent_records_keep_an_event_once(
        self, usage_log: UsageLog, account: str, now: datetime
    ) -> None:
        events = [a_usage_event(account, at=now) for _ in range(16)]
        await asyncio.gather(*(usage_log.record(events[n : n + 4]) for n in range(16)))
        assert await usage_log.events(account=account) == in_order(events)

    async def test_one_of_many_concurrent_measurements_is_kept(
        self, usage_log: UsageLog, account: str, now: datetime
    ) -> None:
        event = a_usage_event(account, at=now)
        rivals = [(a_usage_event(account, at=now), evolve(event, quantity=n)) for n in range(16)]
        answers = await asyncio.gather(
            *(usage_log.record(rival) for rival in rivals), return_exceptions=True
        )
        kept = [rival for rival, answer in zip(rivals, answers, strict=True) if answer is None]
        assert len(kept) == 1
        assert sum(isinstance(answer, IdempotencyConflict) for answer in answers) == 15
        assert await usage_log.events(account=account) == in_order(kept[0])

    @pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 8, 20, 60])
    async def test_cancelled_record_is_whole(
        self, usage_log: UsageLog, account: str, now: datetime, ticks: int
    ) -> None:
        events = in_order([a_usage_event(account, at=now) for _ in range(8)])
        task = asyncio.ensure_future(usage_log.record(events))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await usage_log.events(account=account) in {(), events}
        await usage_log.record(events)
        assert await usage_log.events(account=account) == events
