"""The contract of :class:`tollkeeper.ports.outbox.Outbox`."""

import asyncio
from datetime import datetime, timedelta

import pytest
from attrs import evolve

from tollkeeper.contracts.outbox_ends import HOUR, LEASE, MOMENT, OutboxEnds, a_message, claimed
from tollkeeper.contracts.samples import ODD_TEXT, new_id
from tollkeeper.domain.errors import Conflict, IdempotencyConflict, InvalidRequest
from tollkeeper.domain.outbox import Delivery, DeliveryState, Message
from tollkeeper.ports.outbox import Outbox

MILLISECOND = timedelta(milliseconds=1)


async def kept(outbox: Outbox, account: str) -> list[Message]:
    """Return the account's messages that wait."""
    found = await outbox.messages(state=DeliveryState.PENDING, account=account)
    return [each.message for each in found]


class OutboxContract(OutboxEnds):
    """What every outbox promises. Fixture: ``outbox``."""

    async def test_a_message_comes_back_as_given(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        message = Message(
            id=new_id("message"),
            account=account,
            topic=f"{topic} {ODD_TEXT}"[:255],
            idempotency_key=ODD_TEXT,
            payload=f'{ODD_TEXT}\n\t{{"a": 1.0, "a": 2}}\x7f' + "é" * 100_000,
            created_at=now + timedelta(microseconds=123_456),
            due_at=now + timedelta(days=1, microseconds=654_321),
            max_tries=1000,
        )
        assert await outbox.add([message]) == (Delivery(message),)
        assert await outbox.messages(state=DeliveryState.PENDING, account=account) == (
            Delivery(message),
        )
        at = now + timedelta(days=2)
        [delivery] = await outbox.claim(topic=message.topic, at=at, lease=LEASE)
        assert delivery == evolve(
            Delivery(message), claims=delivery.claims, tries=1, due_at=at + LEASE
        )
        assert delivery.claims > 0

    async def test_messages_are_added_together_and_answered_in_their_order(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        messages = [a_message(account, topic, at=now - n * HOUR) for n in range(5)]
        added = await outbox.add(messages)
        assert [each.message for each in added] == messages
        assert await outbox.add([]) == ()
        assert await kept(outbox, account) == messages[::-1]

    async def test_the_first_message_of_a_key_stands(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        first = a_message(account, topic, at=now, payload="same")
        again = evolve(
            first, id=new_id("message"), created_at=now + HOUR, due_at=now + HOUR, max_tries=9
        )
        await outbox.add([first])
        assert await outbox.add([again, first, again]) == (Delivery(first),) * 3
        delivery = await claimed(outbox, topic, now)
        assert await outbox.add([again]) == (delivery,)
        await outbox.done([delivery], at=now)
        [known] = await outbox.add([again])
        assert known.state is DeliveryState.DONE
        assert await kept(outbox, account) == []

    async def test_a_key_with_another_payload_is_a_conflict_and_nothing_is_kept(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        first = a_message(account, topic, at=now, payload="one")
        other = evolve(first, id=new_id("message"), payload="two")
        new = a_message(account, topic, at=now)
        with pytest.raises(IdempotencyConflict):
            await outbox.add([new, first, other])
        assert await kept(outbox, account) == []
        await outbox.add([first])
        with pytest.raises(IdempotencyConflict):
            await outbox.add([new, other])
        assert await kept(outbox, account) == [first]

    async def test_a_taken_id_is_a_conflict_and_nothing_is_kept(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        first, new = (a_message(account, topic, at=now) for _ in range(2))
        await outbox.add([first])
        with pytest.raises(Conflict):
            await outbox.add([new, evolve(first, idempotency_key=new_id("key"))])
        with pytest.raises(Conflict):
            await outbox.add([new, evolve(new, idempotency_key=new_id("key"))])
        assert await kept(outbox, account) == [first]

    async def test_keys_are_of_an_account_and_a_topic(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        first = a_message(account, topic, at=now, payload="one")
        other = evolve(first, id=new_id("message"), account=f"{account}-other", payload="two")
        third = evolve(first, id=new_id("message"), topic=f"{topic}-other", payload="three")
        added = await outbox.add([first, other, third])
        assert [each.message for each in added] == [first, other, third]
        assert (await claimed(outbox, third.topic, now)).message == third

    async def test_a_message_is_claimed_when_it_is_due_and_not_before(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        message = a_message(account, topic, at=now, due_at=now + HOUR)
        await outbox.add([message])
        assert await outbox.claim(topic=topic, at=now + HOUR - MOMENT, lease=LEASE) == ()
        assert (await claimed(outbox, topic, now + HOUR)).message == message

    async def test_a_claimed_message_is_nobody_elses_until_the_lease_is_over(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        await outbox.add([a_message(account, topic, at=now)])
        first = await claimed(outbox, topic, now)
        assert (first.tries, first.due_at) == (1, now + LEASE)
        assert await outbox.claim(topic=topic, at=now + LEASE - MOMENT, lease=LEASE) == ()
        again = await claimed(outbox, topic, now + LEASE)
        assert (again.tries, again.due_at) == (2, now + 2 * LEASE)
        assert again.claims > first.claims

    async def test_what_is_due_for_longest_comes_first(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        waits = (3, 1, 4, 2, 0)
        messages = [a_message(account, topic, at=now, due_at=now + n * MOMENT) for n in waits]
        await outbox.add(messages)
        order: list[Delivery] = []
        for limit in (1, 3, 5):
            order += await outbox.claim(topic=topic, at=now + HOUR, lease=LEASE, limit=limit)
        due = [each.message for each in order]
        assert due == sorted(messages, key=lambda message: message.due_at)

    async def test_no_more_are_claimed_than_asked_for(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        await outbox.add([a_message(account, topic, at=now) for _ in range(5)])
        for limit, expected in ((0, 0), (2, 2), (9, 3), (9, 0)):
            lent = await outbox.claim(topic=topic, at=now, lease=LEASE, limit=limit)
            assert len(lent) == expected

    async def test_topics_do_not_meet(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        names = [topic, f"{topic}:", topic.upper(), f"{topic} x", f"{topic}%", f"{topic}é"]
        await outbox.add([a_message(account, name, at=now) for name in names])
        for name in names:
            assert (await claimed(outbox, name, now)).message.topic == name

    @pytest.mark.parametrize("lease", [timedelta(0), -LEASE, timedelta(days=2), 60, None], ids=str)
    async def test_leases_that_are_not_sound_are_refused(
        self, outbox: Outbox, account: str, topic: str, now: datetime, lease: timedelta
    ) -> None:
        await outbox.add([a_message(account, topic, at=now)])
        with pytest.raises(InvalidRequest):
            await outbox.claim(topic=topic, at=now, lease=lease)
        assert (await claimed(outbox, topic, now)).tries == 1

    async def test_each_message_is_lent_to_one_of_many_who_claim_at_once(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        messages = [a_message(account, topic, at=now) for _ in range(60)]
        await outbox.add(messages)
        lent = await asyncio.gather(
            *(outbox.claim(topic=topic, at=now, lease=LEASE, limit=3) for _ in range(30))
        )
        ids = [each.message.id for some in lent for each in some]
        assert len(ids) == len(set(ids))
        # Whoever was passed over in the throng finds the rest now.
        ids += [
            each.message.id
            for each in await outbox.claim(topic=topic, at=now, lease=LEASE, limit=60)
        ]
        assert sorted(ids) == sorted(message.id for message in messages)

    async def test_of_many_who_add_one_key_at_once_one_adds(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        one, two = (a_message(account, topic, at=now) for _ in range(2))
        batches = [
            [evolve(each, id=new_id("message")) for each in ((one, two), (two, one))[n % 2]]
            for n in range(16)
        ]
        added = await asyncio.gather(*(outbox.add(batch) for batch in batches))
        assert len({each.message.id for some in added for each in some}) == 2
        assert len(await kept(outbox, account)) == 2

    async def test_a_cancelled_addition_is_whole_or_nothing(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        for turn in range(20):
            whose = f"{account}-{turn}"
            batch = [a_message(whose, topic, at=now) for _ in range(3)]
            adding = asyncio.ensure_future(outbox.add(batch))
            await asyncio.sleep(0 if turn % 2 else turn / 10_000)
            adding.cancel()
            await asyncio.gather(adding, return_exceptions=True)
            there = len(await kept(outbox, whose))
            assert there in (0, 3)
            await outbox.add(batch)
            assert len(await kept(outbox, whose)) == 3

    async def test_a_message_claimed_by_one_who_left_is_not_lost(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        await outbox.add([a_message(account, topic, at=now, max_tries=1000)])
        for turn in range(20):
            at = now + turn * LEASE
            claiming = asyncio.ensure_future(outbox.claim(topic=topic, at=at, lease=LEASE))
            await asyncio.sleep(0 if turn % 2 else turn / 10_000)
            claiming.cancel()
            await asyncio.gather(claiming, return_exceptions=True)
        await claimed(outbox, topic, now + 20 * LEASE)

    async def test_every_message_ends_whatever_fails(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        messages = [a_message(account, topic, at=now, max_tries=4) for _ in range(24)]
        await outbox.add(messages)
        number = {message.id: n for n, message in enumerate(messages)}
        delivered: list[int] = []

        async def work(at: datetime) -> None:
            for each in await outbox.claim(topic=topic, at=at, lease=LEASE, limit=5):
                n = number[each.message.id]
                # A third works at the third try, a third never does, a third dies each time.
                if n % 3 == 0 and each.tries == 3:
                    delivered.append(n)
                    await outbox.done([each], at=at)
                elif n % 3 < 2:
                    await outbox.failed(each, error="no", at=at, retry_at=at + MILLISECOND)

        for step in range(12):
            await asyncio.gather(*(work(now + step * LEASE) for _ in range(4)))
        assert sorted(delivered) == [n for n in range(24) if n % 3 == 0]
        done = await outbox.messages(state=DeliveryState.DONE, account=account)
        assert sorted(number[each.message.id] for each in done) == sorted(delivered)
        dead = await outbox.messages(state=DeliveryState.DEAD, account=account)
        assert {each.tries for each in dead} == {4}
        assert len(dead) == 16
        assert await kept(outbox, account) == []
