"""What a host must deliver: added once, tried again, given up and revived, by any process."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.application.world import open_world
from tests.servers.postgres import migrated_database
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.application.outbox_messages import Delivered, OutboxMessages
from tollkeeper.domain.errors import IdempotencyConflict, InvalidRequest, NotFound
from tollkeeper.domain.outbox import Delivery, DeliveryState, Message

pytestmark = pytest.mark.anyio
LEASE = timedelta(minutes=1)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store."""
    if request.param == "postgres":
        with migrated_database() as url:
            yield url
    else:
        yield "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/outbox.db"


async def _add(outbox: OutboxMessages, number: int = 1, **more: object) -> Delivery:
    arguments = {
        "account": "acme",
        "topic": "mail",
        "payload": f"mail {number}",
        "idempotency_key": f"order-{number}",
        **more,
    }
    return await outbox.add(**arguments)  # type: ignore[arg-type]


class Handler:
    """Notes what it is handed, and fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.handed: list[str] = []
        self.failures = failures

    async def __call__(self, message: Message) -> None:
        self.handed.append(message.payload)
        if self.failures:
            self.failures -= 1
            raise ValueError("sk-secret: the server was rude")


async def test_messages_are_added_once_and_delivered_in_the_order_they_are_due(
    tmp_path: Path, store: str
) -> None:
    clock = MemoryClock()
    async with open_world(tmp_path, store=store, clock=clock, credit="0") as world:
        outbox, handler = world.tk.outbox, Handler()
        first = await _add(outbox, 1)
        clock.advance(timedelta(seconds=1))
        await _add(outbox, 2)
        await _add(outbox, 3, delay=timedelta(hours=1))
        assert (await _add(outbox, 1)).message.id == first.message.id
        with pytest.raises(IdempotencyConflict):
            await _add(outbox, 1, payload="another mail")

        assert await outbox.deliver("fax", handler) == Delivered()
        assert await outbox.deliver("mail", handler) == Delivered(done=2)
        assert handler.handed == ["mail 1", "mail 2"]
        clock.advance(timedelta(hours=1))
        assert await outbox.deliver("mail", handler) == Delivered(done=1)
        assert await outbox.deliver("mail", handler) == Delivered()
        done = await outbox.messages(state=DeliveryState.DONE, account="acme")
        # Those of one millisecond come in any order.
        assert {each.message.payload for each in done} == {"mail 1", "mail 2", "mail 3"}
        rest = await outbox.messages(state=DeliveryState.DONE, after=done[0].message.id, limit=1)
        assert rest == done[1:2]


async def test_what_fails_is_tried_again_given_up_and_revived(tmp_path: Path, store: str) -> None:
    clock = MemoryClock()
    async with open_world(tmp_path, store=store, clock=clock, credit="0") as world:
        outbox, handler = world.tk.outbox, Handler(failures=3)
        added = await _add(outbox, max_tries=3)
        assert await outbox.deliver("mail", handler) == Delivered(failed=1)
        assert await outbox.deliver("mail", handler) == Delivered(), "not at once"
        clock.advance(timedelta(hours=1))
        assert await outbox.deliver("mail", handler) == Delivered(failed=1)
        clock.advance(timedelta(hours=1))
        assert await outbox.deliver("mail", handler) == Delivered(dead=1)
        [dead] = await outbox.messages(state=DeliveryState.DEAD)
        assert (dead.error, dead.tries) == ("ValueError", 3)
        with pytest.raises(NotFound):
            await outbox.revive(added.message.id, account="other")
        await outbox.revive(added.message.id, account="acme")
        assert await outbox.deliver("mail", handler) == Delivered(done=1)
        assert handler.handed == ["mail 1"] * 4


async def test_several_deliverers_share_the_work_and_one_who_leaves_loses_nothing(
    tmp_path: Path, store: str
) -> None:
    clock = MemoryClock()
    async with open_world(tmp_path, store=store, clock=clock, credit="0") as world:
        outbox, handler = world.tk.outbox, Handler()
        for number in range(20):
            await _add(outbox, number)
        begun = asyncio.Event()

        async def stall(message: Message) -> None:
            begun.set()
            await asyncio.Event().wait()

        stalled = asyncio.ensure_future(outbox.deliver("mail", stall, lease=LEASE))
        await begun.wait()
        rounds = await asyncio.gather(*(outbox.deliver("mail", handler) for _ in range(4)))
        assert sum(each.done for each in rounds) == 19
        stalled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stalled
        assert await outbox.deliver("mail", handler) == Delivered(), "it is still lent"
        clock.advance(LEASE)
        assert await outbox.deliver("mail", handler) == Delivered(done=1)
        assert sorted(handler.handed) == sorted(f"mail {number}" for number in range(20))


async def test_what_is_malformed_is_refused(tmp_path: Path) -> None:
    async with open_world(tmp_path, credit="0") as world:
        outbox = world.tk.outbox
        for wrong in (
            {"topic": "tollkeeper.mail"},
            {"topic": ""},
            {"payload": b"bytes"},
            {"account": ""},
            {"delay": timedelta(seconds=-1)},
            {"delay": timedelta.max},
            {"max_tries": 0},
        ):
            with pytest.raises(InvalidRequest):
                await _add(outbox, **wrong)
        for arguments in ({"limit": 0}, {"lease": timedelta(0)}, {"lease": timedelta(days=2)}):
            with pytest.raises(InvalidRequest):
                await outbox.deliver("mail", Handler(), **arguments)
        with pytest.raises(InvalidRequest):
            await outbox.deliver("tollkeeper.mail", Handler())
        with pytest.raises(InvalidRequest, match="pending, done, dead"):
            await outbox.messages(state="lost")  # type: ignore[arg-type]
        assert await outbox.messages(state=DeliveryState.PENDING) == ()
