"""The contract of :class:`tollkeeper.ports.lock.Lock`."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.locks import Lease
from tollkeeper.ports.lock import Lock

Advance = Callable[[timedelta], Awaitable[None]]
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
MOMENT = timedelta(milliseconds=20)
BAD_NAMES = ["", "line\nbreak", "nul\0", "\ud800", "n" * 256, 7, b"bytes"]


async def lent(lock: Lock, name: str, **how: object) -> Lease:
    """Acquire a lock that is free."""
    lease = await lock.acquire(name, **{"ttl": MINUTE, **how})  # type: ignore[arg-type]
    assert lease is not None
    return lease


class LockContract(Contract):
    """What every lock promises.

    Fixtures: ``lock``, and ``advance``, an async callable that moves the lock's own time on by a
    timedelta. The suite's names are its own, so that it may run against a live server.
    """

    @pytest.fixture
    def name(self) -> str:
        """Name a lock that nobody used before."""
        return f"contract-{uuid.uuid4().hex}"

    async def test_a_free_lock_is_lent(self, lock: Lock, name: str) -> None:
        lease = await lent(lock, name, owner="the one who asks")
        assert (lease.name, lease.owner, lease.ttl) == (name, "the one who asks", MINUTE)
        assert type(lease.fencing) is int
        assert lease.fencing > 0
        assert lease.owner not in repr(lease)

    async def test_a_lent_lock_is_not_lent_to_another(self, lock: Lock, name: str) -> None:
        await lent(lock, name)
        assert await lock.acquire(name, ttl=MINUTE) is None
        assert await lock.acquire(name, ttl=MINUTE, owner="other") is None

    async def test_one_of_many_askers_gets_it(self, lock: Lock, name: str) -> None:
        asked = await asyncio.gather(*(lock.acquire(name, ttl=MINUTE) for _ in range(50)))
        assert len([lease for lease in asked if lease is not None]) == 1

    async def test_each_made_up_owner_is_another(self, lock: Lock, name: str) -> None:
        owners = {(await lent(lock, f"{name}-{number}")).owner for number in range(20)}
        assert len(owners) == 20

    async def test_the_same_owner_gets_the_same_lease_again(
        self, lock: Lock, name: str, advance: Advance
    ) -> None:
        first = await lent(lock, name, owner="me")
        await advance(MINUTE - SECOND)
        assert await lent(lock, name, owner="me") == first
        await advance(MINUTE - SECOND)
        assert await lock.acquire(name, ttl=MINUTE, owner="other") is None

    async def test_many_questions_of_one_owner_get_one_lease(self, lock: Lock, name: str) -> None:
        asked = (lock.acquire(name, ttl=MINUTE, owner="me") for _ in range(20))
        assert len(set(await asyncio.gather(*asked))) == 1

    async def test_a_released_lock_is_free_and_the_release_says_so_once(
        self, lock: Lock, name: str
    ) -> None:
        lease = await lent(lock, name)
        assert await lock.release(lease) is True
        assert await lock.release(lease) is False
        await lent(lock, name)

    async def test_a_lock_is_free_after_its_ttl_and_not_before(
        self, lock: Lock, name: str, advance: Advance
    ) -> None:
        lease = await lent(lock, name)
        await advance(MINUTE - SECOND)
        assert await lock.acquire(name, ttl=MINUTE) is None
        await advance(SECOND + MOMENT)
        assert await lock.renew(lease) is False
        assert await lock.release(lease) is False
        await lent(lock, name)

    async def test_asking_in_vain_does_not_lengthen_a_lease(
        self, lock: Lock, name: str, advance: Advance
    ) -> None:
        await lent(lock, name)
        await advance(MINUTE / 2)
        assert await lock.acquire(name, ttl=10 * MINUTE) is None
        await advance(MINUTE / 2 + MOMENT)
        await lent(lock, name)

    async def test_renewing_lengthens_a_lease_from_now(
        self, lock: Lock, name: str, advance: Advance
    ) -> None:
        lease = await lent(lock, name)
        for _ in range(3):
            await advance(MINUTE - SECOND)
            assert await lock.renew(lease) is True
        assert await lock.renew(lease, ttl=3 * MINUTE) is True
        await advance(2 * MINUTE)
        assert await lock.acquire(name, ttl=MINUTE) is None
        assert await lock.renew(lease, ttl=SECOND) is True
        await advance(SECOND + MOMENT)
        await lent(lock, name)

    async def test_a_lease_that_is_over_can_do_nothing_to_its_successor(
        self, lock: Lock, name: str, advance: Advance
    ) -> None:
        late = await lent(lock, name)
        await advance(MINUTE + MOMENT)
        successor = await lent(lock, name)
        assert await lock.renew(late, ttl=10 * MINUTE) is False
        assert await lock.release(late) is False
        assert await lock.acquire(name, ttl=MINUTE) is None
        await advance(MINUTE - SECOND)
        assert await lock.renew(successor) is True

    async def test_a_lease_of_the_same_owner_that_is_over_is_another(
        self, lock: Lock, name: str, advance: Advance
    ) -> None:
        late = await lent(lock, name, owner="me")
        await advance(MINUTE + MOMENT)
        again = await lent(lock, name, owner="me")
        assert again.fencing > late.fencing
        assert await lock.renew(late) is False
        assert await lock.release(late) is False
        assert await lock.release(again) is True

    async def test_fencing_numbers_rise_however_a_lease_ended(
        self, lock: Lock, name: str, advance: Advance
    ) -> None:
        numbers = []
        for _ in range(5):
            numbers.append((await lent(lock, name)).fencing)
            await advance(MINUTE + MOMENT)
            lease = await lent(lock, name)
            numbers.append(lease.fencing)
            await lock.release(lease)
        await advance(timedelta(days=30))
        numbers.append((await lent(lock, name)).fencing)
        assert numbers == sorted(set(numbers))

    async def test_whoever_waits_gets_it_when_it_is_released(self, lock: Lock, name: str) -> None:
        lease = await lent(lock, name)
        waiting = asyncio.ensure_future(lock.acquire(name, ttl=MINUTE, wait=20 * SECOND))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await lock.release(lease)
        async with asyncio.timeout(10):
            got = await waiting
        assert got is not None
        assert got.fencing > lease.fencing

    async def test_waiting_in_vain_ends_in_time(self, lock: Lock, name: str) -> None:
        await lent(lock, name)
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(10):
            assert await lock.acquire(name, ttl=MINUTE, wait=timedelta(seconds=0.1)) is None
        assert loop.time() - began > 0.09

    async def test_those_who_wait_get_it_one_after_another(self, lock: Lock, name: str) -> None:
        inside = 0

        async def work() -> int:
            nonlocal inside
            lease = await lent(lock, name, wait=20 * SECOND)
            inside += 1
            assert inside == 1
            await asyncio.sleep(0.001)
            inside -= 1
            await lock.release(lease)
            return lease.fencing

        numbers = await asyncio.gather(*(work() for _ in range(10)))
        assert len(set(numbers)) == 10

    async def test_one_who_leaves_while_waiting_gets_nothing(self, lock: Lock, name: str) -> None:
        lease = await lent(lock, name)
        waiting = asyncio.ensure_future(lock.acquire(name, ttl=MINUTE, wait=20 * SECOND))
        await asyncio.sleep(0.02)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert waiting.cancelled()
        await lock.release(lease)
        await lent(lock, name)

    async def test_one_who_leaves_while_asking_holds_it_no_longer_than_its_ttl(
        self, lock: Lock, name: str, advance: Advance
    ) -> None:
        for turn in range(20):
            asking = asyncio.ensure_future(lock.acquire(f"{name}-{turn}", ttl=MINUTE))
            await asyncio.sleep(0 if turn % 2 else 0.0005)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await advance(MINUTE + MOMENT)
        for turn in range(20):
            await lent(lock, f"{name}-{turn}")

    async def test_locks_do_not_meet(self, lock: Lock, name: str) -> None:
        names = [name, name + ":", name.upper(), name + " x", name + "é", name + "{", name + "%7B"]
        leases = [await lent(lock, one, owner=one) for one in names]
        assert all([await lock.release(lease) for lease in leases])

    @pytest.mark.parametrize("bad", BAD_NAMES, ids=ascii)
    async def test_malformed_names_and_owners_are_refused(
        self, lock: Lock, name: str, bad: str
    ) -> None:
        with pytest.raises(InvalidRequest):
            await lock.acquire(bad, ttl=MINUTE)
        with pytest.raises(InvalidRequest):
            await lock.acquire(name, ttl=MINUTE, owner=bad)
        await lent(lock, name)

    @pytest.mark.parametrize("bad", [timedelta(0), -MINUTE, timedelta(days=2), 60, None], ids=str)
    async def test_lives_that_are_not_sound_are_refused(
        self, lock: Lock, name: str, bad: timedelta
    ) -> None:
        with pytest.raises(InvalidRequest):
            await lock.acquire(name, ttl=bad)
        lease = await lent(lock, name)
        if bad is not None:
            with pytest.raises(InvalidRequest):
                await lock.renew(lease, ttl=bad)

    @pytest.mark.parametrize("bad", [-MINUTE, 1], ids=str)
    async def test_waits_that_are_not_sound_are_refused(
        self, lock: Lock, name: str, bad: timedelta
    ) -> None:
        with pytest.raises(InvalidRequest):
            await lock.acquire(name, ttl=MINUTE, wait=bad)
        await lent(lock, name)
