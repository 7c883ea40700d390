"""How deliveries end: done, failed, dead, revived; and what can be seen of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.contracts.samples import ODD_TEXT, new_id
from tollkeeper.domain.errors import Conflict, InvalidRequest, NotFound
from tollkeeper.domain.outbox import Delivery, DeliveryState, Message
from tollkeeper.ports.outbox import Outbox

LEASE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)


def a_message(
    account: str,
    topic: str,
    *,
    at: datetime,
    due_at: datetime | None = None,
    payload: str = "{}",
    max_tries: int = 3,
) -> Message:
    """Make a message with an id and a key of its own."""
    return Message(
        id=new_id("message"),
        account=account,
        topic=topic,
        idempotency_key=new_id("key"),
        payload=payload,
        created_at=at,
        due_at=at if due_at is None else due_at,
        max_tries=max_tries,
    )


async def claimed(outbox: Outbox, topic: str, at: datetime) -> Delivery:
    """Claim the one message that is due."""
    [delivery] = await outbox.claim(topic=topic, at=at, lease=LEASE, limit=10)
    return delivery


async def standing(outbox: Outbox, message: Message) -> Delivery:
    """Look how far *message* is."""
    found = [
        each
        for state in DeliveryState
        for each in await outbox.messages(state=state, account=message.account)
        if each.message.id == message.id
    ]
    [delivery] = found
    return delivery


class OutboxEnds(Contract):
    """What becomes of a message that was claimed. Fixture: ``outbox``."""

    @pytest.fixture
    def topic(self) -> str:
        """Name a topic that nobody used before."""
        return new_id("topic")

    @pytest.fixture
    async def message(self, outbox: Outbox, account: str, topic: str, now: datetime) -> Message:
        """Keep a message that may be tried three times."""
        message = a_message(account, topic, at=now)
        await outbox.add([message])
        return message

    async def test_a_delivered_message_is_not_claimed_again(
        self, outbox: Outbox, message: Message, topic: str, now: datetime
    ) -> None:
        delivery = await claimed(outbox, topic, now)
        await outbox.done([delivery], at=now + MOMENT)
        await outbox.done([delivery], at=now + HOUR)
        assert await outbox.claim(topic=topic, at=now + HOUR, lease=LEASE) == ()
        ended = await standing(outbox, message)
        assert (ended.state, ended.ended_at) == (DeliveryState.DONE, now + MOMENT)
        assert ended.message == message

    async def test_many_are_done_at_once(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        await outbox.add([a_message(account, topic, at=now) for _ in range(5)])
        deliveries = await outbox.claim(topic=topic, at=now, lease=LEASE, limit=4)
        gone = Delivery(a_message(account, topic, at=now))
        await outbox.done([*deliveries, gone], at=now)
        await outbox.done([], at=now)
        done = await outbox.messages(state=DeliveryState.DONE, account=account)
        assert {each.message.id for each in done} == {each.message.id for each in deliveries}

    async def test_what_was_delivered_late_was_delivered(
        self, outbox: Outbox, message: Message, topic: str, now: datetime
    ) -> None:
        slow = await claimed(outbox, topic, now)
        other = await claimed(outbox, topic, now + HOUR)
        await outbox.done([slow], at=now + HOUR)
        known = await outbox.failed(other, error="no", at=now + HOUR, retry_at=now + HOUR)
        assert (known.state, known.error) == (DeliveryState.DONE, "")
        assert await outbox.claim(topic=topic, at=now + 2 * HOUR, lease=LEASE) == ()

    async def test_a_dead_message_that_was_delivered_is_done(
        self, outbox: Outbox, message: Message, topic: str, now: datetime
    ) -> None:
        delivery = await claimed(outbox, topic, now)
        await outbox.failed(delivery, error="gone", at=now, retry_at=None)
        await outbox.done([delivery], at=now + MOMENT)
        ended = await standing(outbox, message)
        assert (ended.state, ended.ended_at) == (DeliveryState.DONE, now + MOMENT)

    async def test_a_failed_message_is_due_again_when_it_is_to_be(
        self, outbox: Outbox, message: Message, topic: str, now: datetime
    ) -> None:
        delivery = await claimed(outbox, topic, now)
        known = await outbox.failed(delivery, error="busy", at=now, retry_at=now + HOUR)
        assert (known.state, known.due_at, known.tries) == (DeliveryState.PENDING, now + HOUR, 1)
        assert await outbox.claim(topic=topic, at=now + HOUR - MOMENT, lease=LEASE) == ()
        again = await claimed(outbox, topic, now + HOUR)
        assert (again.message, again.tries, again.error) == (message, 2, "busy")
        assert again.claims > delivery.claims

    async def test_a_repeated_failure_is_one(
        self, outbox: Outbox, message: Message, topic: str, now: datetime
    ) -> None:
        delivery = await claimed(outbox, topic, now)
        for _ in range(2):
            known = await outbox.failed(delivery, error="busy", at=now, retry_at=now + HOUR)
            assert (known.tries, known.due_at) == (1, now + HOUR)

    async def test_who_lost_the_claim_can_fail_nothing(
        self, outbox: Outbox, message: Message, topic: str, now: datetime
    ) -> None:
        slow = await claimed(outbox, topic, now)
        other = await claimed(outbox, topic, now + LEASE)
        for retry_at in (None, now):
            known = await outbox.failed(slow, error="slow", at=now + LEASE, retry_at=retry_at)
            assert known == other
        assert await standing(outbox, message) == other

    async def test_a_message_that_is_given_up_is_dead(
        self, outbox: Outbox, message: Message, topic: str, now: datetime
    ) -> None:
        delivery = await claimed(outbox, topic, now)
        known = await outbox.failed(delivery, error="no such address", at=now, retry_at=None)
        assert (known.state, known.ended_at) == (DeliveryState.DEAD, now)
        assert known.error == "no such address"
        assert await standing(outbox, message) == known
        assert await outbox.claim(topic=topic, at=now + HOUR, lease=LEASE) == ()

    async def test_a_message_is_tried_as_often_as_it_may_be(
        self, outbox: Outbox, message: Message, topic: str, now: datetime
    ) -> None:
        for tries in (1, 2, 3):
            delivery = await claimed(outbox, topic, now)
            assert delivery.tries == tries
            known = await outbox.failed(delivery, error=str(tries), at=now, retry_at=now)
            assert known.state is (DeliveryState.DEAD if tries == 3 else DeliveryState.PENDING)
        assert await outbox.claim(topic=topic, at=now + HOUR, lease=LEASE) == ()

    async def test_a_message_that_kills_who_delivers_it_dies_itself(
        self, outbox: Outbox, message: Message, account: str, topic: str, now: datetime
    ) -> None:
        for tries in range(3):
            await claimed(outbox, topic, now + tries * LEASE)
        other = a_message(account, topic, at=now + HOUR)
        await outbox.add([other])
        # The dead one takes nobody's place.
        [delivery] = await outbox.claim(topic=topic, at=now + HOUR, lease=LEASE, limit=1)
        assert delivery.message == other
        ended = await standing(outbox, message)
        assert (ended.state, ended.tries, ended.ended_at) == (DeliveryState.DEAD, 3, now + HOUR)

    async def test_failing_what_is_not_here_is_not_found(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        gone = Delivery(a_message(account, topic, at=now))
        with pytest.raises(NotFound):
            await outbox.failed(gone, error="", at=now, retry_at=None)

    async def test_an_error_is_kept_on_one_line(
        self, outbox: Outbox, message: Message, topic: str, now: datetime
    ) -> None:
        delivery = await claimed(outbox, topic, now)
        said = ODD_TEXT + "\n\0" + "x" * 1000
        known = await outbox.failed(delivery, error=said, at=now, retry_at=now)
        assert known.error == f"{ODD_TEXT}  {'x' * 1000}"[:500]
        assert await standing(outbox, message) == known

    async def test_a_dead_message_is_revived_with_all_its_tries(
        self, outbox: Outbox, message: Message, account: str, topic: str, now: datetime
    ) -> None:
        before = await claimed(outbox, topic, now)
        await outbox.failed(before, error="gone", at=now, retry_at=None)
        revived = await outbox.revive(message.id, account=account, at=now + HOUR)
        assert (revived.state, revived.tries, revived.ended_at) == (DeliveryState.PENDING, 0, None)
        assert await outbox.claim(topic=topic, at=now + HOUR - MOMENT, lease=LEASE) == ()
        # Whoever had it before it died can say no more about it.
        stale = await outbox.failed(before, error="gone", at=now, retry_at=None)
        assert stale.state is DeliveryState.PENDING
        for tries in (1, 2, 3):
            delivery = await claimed(outbox, topic, now + HOUR)
            assert delivery.tries == tries
            await outbox.failed(delivery, error="", at=now, retry_at=now)

    async def test_only_a_dead_message_of_the_account_is_revived(
        self, outbox: Outbox, message: Message, account: str, topic: str, now: datetime
    ) -> None:
        with pytest.raises(Conflict):
            await outbox.revive(message.id, account=account, at=now)
        delivery = await claimed(outbox, topic, now)
        await outbox.failed(delivery, error="", at=now, retry_at=None)
        with pytest.raises(NotFound):
            await outbox.revive(message.id, account=f"{account}-other", at=now)
        with pytest.raises(NotFound):
            await outbox.revive(new_id("message"), account=account, at=now)
        await outbox.done([delivery], at=now)
        with pytest.raises(Conflict):
            await outbox.revive(message.id, account=account, at=now)

    async def test_messages_come_in_pages_by_state(
        self, outbox: Outbox, account: str, topic: str, now: datetime
    ) -> None:
        messages = [a_message(account, topic, at=now + n * MOMENT) for n in (2, 0, 1, 1, 0)]
        other = a_message(f"{account}-other", topic, at=now + 9 * MOMENT)
        await outbox.add([*messages, other])
        sizes, seen = [], list[Delivery]()
        while page := await outbox.messages(
            state=DeliveryState.PENDING,
            account=account,
            limit=2,
            after=seen[-1].message.id if seen else None,
        ):
            sizes.append(len(page))
            seen += page
        expected = sorted(messages, key=lambda message: (message.created_at, message.id))
        assert ([each.message for each in seen], sizes) == (expected, [2, 2, 1])
        await outbox.done(seen[:2], at=now)
        kept = await outbox.messages(state=DeliveryState.DONE, account=account)
        assert [each.message for each in kept] == expected[:2]
        rest = await outbox.messages(
            state=DeliveryState.PENDING, account=account, after=expected[1].id
        )
        assert [each.message for each in rest] == expected[2:]
        assert other.id in await _all_pending(outbox, after=expected[0])

    async def test_unknown_page_is_not_there(
        self, outbox: Outbox, message: Message, account: str
    ) -> None:
        asked: Sequence[tuple[str | None, str]] = (
            (account, new_id("message")),
            (None, new_id("message")),
            (f"{account}-other", message.id),
        )
        for whose, after in asked:
            with pytest.raises(NotFound):
                await outbox.messages(state=DeliveryState.PENDING, account=whose, after=after)

    async def test_times_without_a_zone_are_refused(
        self, outbox: Outbox, message: Message, account: str, topic: str, now: datetime
    ) -> None:
        bare = now.replace(tzinfo=None)
        delivery = await claimed(outbox, topic, now)
        for step in (
            outbox.claim(topic=topic, at=bare, lease=LEASE),
            outbox.done([delivery], at=bare),
            outbox.failed(delivery, error="", at=bare, retry_at=now),
            outbox.failed(delivery, error="", at=now, retry_at=bare),
            outbox.revive(message.id, account=account, at=bare),
        ):
            with pytest.raises(InvalidRequest):
                await step
        assert await standing(outbox, message) == delivery


async def _all_pending(outbox: Outbox, *, after: Message) -> set[str]:
    """Read all pages of everybody's pending messages from the time of *after* on."""
    found: set[str] = set()
    last = after.id
    # A live store may hold many; those of the suite's time come first.
    for _ in range(50):
        page = await outbox.messages(state=DeliveryState.PENDING, limit=1000, after=last)
        found |= {each.message.id for each in page}
        if len(page) < 1000:
            break
        last = page[-1].message.id
    return found
