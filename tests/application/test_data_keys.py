"""Data keys are opened once for all who ask, kept for a short while, and never used too long."""

import asyncio
from datetime import timedelta

import pytest

from tests.application.account_ciphers import PLACE, World, key_of
from tollkeeper.application.data_keys import MOST_USES
from tollkeeper.domain.errors import Conflict, InvalidRequest, NotFound, Unavailable
from tollkeeper.domain.sealed_values import Place, SealedValue

pytestmark = pytest.mark.anyio
TEXT = b"sk-hidden-0123456789"


@pytest.fixture
def world() -> World:
    return World()


async def test_many_who_ask_at_once_cost_one_unwrapping(world: World) -> None:
    """200 concurrent decrypts, cold, are one question to the keeper."""
    sealed = await world.cipher().encrypt(TEXT, place=PLACE)
    cipher = world.cipher()
    read = await asyncio.gather(*(cipher.decrypt(sealed, place=PLACE) for _ in range(200)))
    assert read == [TEXT] * 200
    assert world.keeper.unwrapped == 1


async def test_many_first_values_at_once_make_one_data_key(world: World) -> None:
    cipher = world.cipher()
    written = await asyncio.gather(*(cipher.encrypt(TEXT, place=PLACE) for _ in range(200)))
    assert len({key_of(each) for each in written}) == 1
    assert (world.keeper.generated, world.keeper.unwrapped) == (1, 0)
    assert len(await world.data_keys()) == 1


async def test_an_open_key_does_not_wait(world: World) -> None:
    cipher = world.cipher()
    sealed = await cipher.encrypt(TEXT, place=PLACE)
    for work in (cipher.decrypt(sealed, place=PLACE), cipher.encrypt(TEXT, place=PLACE)):
        with pytest.raises(StopIteration):
            work.send(None)


async def test_a_new_data_key_is_audited(world: World) -> None:
    sealed = await world.cipher().encrypt(TEXT, place=PLACE)
    (entry,) = world.store.database.audit["acme"]
    assert (entry.action, entry.actor) == ("data_key.created", "tollkeeper")
    assert (entry.account, entry.subject) == ("acme", key_of(sealed))
    assert entry.details == {"kek": world.keeper.ring.primary.id, "algorithm": "1"}
    assert entry.mac


async def test_a_key_is_used_no_more_often_than_it_may(world: World) -> None:
    """The counter forces a new data key at the cap (T21)."""
    cipher = world.cipher(most_uses=5)
    written = [await cipher.encrypt(TEXT, place=PLACE) for _ in range(12)]
    keys = [key_of(each) for each in written]
    assert [keys.count(key) for key in dict.fromkeys(keys)] == [5, 5, 2]
    assert [key.state for key in await world.data_keys()] == ["readable", "readable", "primary"]
    for sealed in written:
        assert await cipher.decrypt(sealed, place=PLACE) == TEXT


async def test_the_cap_holds_for_many_at_once(world: World) -> None:
    """It holds for callers who wait for the same key together, too (T21)."""
    cipher = world.cipher(most_uses=7)
    written = await asyncio.gather(*(cipher.encrypt(TEXT, place=PLACE) for _ in range(100)))
    keys = [key_of(each) for each in written]
    assert max(keys.count(key) for key in keys) == 7
    assert len(set(keys)) == 15 == world.keeper.generated


async def test_uses_are_counted_on_when_a_key_is_opened_anew(world: World) -> None:
    """Neither time nor a change elsewhere sets the counter back (T21)."""
    cipher = world.cipher(most_uses=4)
    keys = []
    for turn in range(8):
        keys.append(key_of(await cipher.encrypt(TEXT, place=PLACE)))
        if turn % 2:
            cipher.forget("acme")
        else:
            world.clock.advance(timedelta(minutes=6))
    assert [keys.count(key) for key in dict.fromkeys(keys)] == [4, 4]


def test_the_cap_leaves_random_nonces_their_margin() -> None:
    """NIST SP 800-38D allows 2^32 random nonces under one key (T21)."""
    assert MOST_USES * 16 == 1 << 32


async def test_a_key_of_a_year_encrypts_no_more(world: World) -> None:
    cipher = world.cipher()
    old = await cipher.encrypt(TEXT, place=PLACE)
    world.clock.advance(timedelta(days=364))
    assert key_of(await cipher.encrypt(TEXT, place=PLACE)) == key_of(old)
    world.clock.advance(timedelta(days=1))
    assert key_of(await cipher.encrypt(TEXT, place=PLACE)) != key_of(old)
    assert await cipher.decrypt(old, place=PLACE) == TEXT


async def test_a_key_stays_open_for_five_minutes_and_no_longer(world: World) -> None:
    sealed = await world.cipher().encrypt(TEXT, place=PLACE)
    cipher = world.cipher()
    for minutes, unwrapped in ((0, 1), (4, 1), (0.99, 1), (0.02, 2), (4.9, 2), (0.2, 3)):
        world.clock.advance(timedelta(minutes=minutes))
        await cipher.decrypt(sealed, place=PLACE)
        assert world.keeper.unwrapped == unwrapped


async def test_use_does_not_keep_a_key_open(world: World) -> None:
    """A key that was destroyed elsewhere is refused after five minutes at the latest."""
    cipher = world.cipher()
    sealed = await cipher.encrypt(TEXT, place=PLACE)
    (key,) = await world.data_keys()
    world.put(key.destroy())
    for _ in range(4):
        world.clock.advance(timedelta(minutes=1))
        assert await cipher.decrypt(sealed, place=PLACE) == TEXT
        assert key_of(await cipher.encrypt(TEXT, place=PLACE)) == key.id
    world.clock.advance(timedelta(minutes=1))
    with pytest.raises(Conflict, match="was destroyed"):
        await cipher.decrypt(sealed, place=PLACE)
    assert key_of(await cipher.encrypt(TEXT, place=PLACE)) != key.id


async def test_no_more_keys_are_open_than_may_be(world: World) -> None:
    cipher = world.cipher(most=3)
    places = [Place(f"account{n}", "t", "r", "c") for n in range(6)]
    written = [await cipher.encrypt(TEXT, place=place) for place in places]
    assert len(cipher.data_keys) == 3
    for sealed, place in zip(written[3:], places[3:], strict=True):
        await cipher.decrypt(sealed, place=place)
    assert world.keeper.unwrapped == 0
    await cipher.decrypt(written[0], place=places[0])
    assert world.keeper.unwrapped == 1
    assert len(cipher.data_keys) == 3


async def test_the_key_that_was_not_used_for_longest_is_closed_first(world: World) -> None:
    cipher = world.cipher(most=3)
    places = [Place(f"account{n}", "t", "r", "c") for n in range(4)]
    written = [await cipher.encrypt(TEXT, place=place) for place in places[:3]]
    await cipher.decrypt(written[0], place=places[0])
    await cipher.encrypt(TEXT, place=places[3])
    await cipher.decrypt(written[0], place=places[0])
    assert world.keeper.unwrapped == 0
    await cipher.decrypt(written[1], place=places[1])
    assert world.keeper.unwrapped == 1


async def test_forgetting_closes_the_keys_of_one_account(world: World) -> None:
    cipher = world.cipher()
    other = Place("other", "t", "r", "c")
    written = {place: await cipher.encrypt(TEXT, place=place) for place in (PLACE, other)}
    cipher.forget("acme")
    await cipher.decrypt(written[other], place=other)
    assert world.keeper.unwrapped == 0
    await cipher.decrypt(written[PLACE], place=PLACE)
    assert world.keeper.unwrapped == 1


async def test_what_was_being_opened_when_it_was_forgotten_is_not_kept(world: World) -> None:
    """A fill that began before the change must not bring the key back (T12)."""
    sealed = await world.cipher().encrypt(TEXT, place=PLACE)
    cipher = world.cipher()
    world.keeper.gate = asyncio.Event()
    reading = asyncio.ensure_future(cipher.decrypt(sealed, place=PLACE))
    writing = asyncio.ensure_future(cipher.encrypt(TEXT, place=PLACE))
    while world.keeper.unwrapped < 2:
        await asyncio.sleep(0)
    (key,) = await world.data_keys()
    world.put(key.destroy())
    cipher.forget("acme")
    world.keeper.gate.set()
    assert await reading == TEXT
    await writing
    assert len(cipher.data_keys) == 0
    with pytest.raises(Conflict, match="was destroyed"):
        await cipher.decrypt(sealed, place=PLACE)


async def test_who_asks_after_a_change_does_not_join_a_question_of_before(world: World) -> None:
    sealed = await world.cipher().encrypt(TEXT, place=PLACE)
    cipher = world.cipher()
    world.keeper.gate = asyncio.Event()
    before = asyncio.ensure_future(cipher.decrypt(sealed, place=PLACE))
    while world.keeper.unwrapped < 1:
        await asyncio.sleep(0)
    (key,) = await world.data_keys()
    world.put(key.destroy())
    cipher.forget("acme")
    with pytest.raises(Conflict, match="was destroyed"):
        await asyncio.wait_for(cipher.decrypt(sealed, place=PLACE), 5)
    world.keeper.gate.set()
    assert await before == TEXT


async def test_an_outage_is_told_to_all_and_not_remembered(world: World) -> None:
    sealed = await world.cipher().encrypt(TEXT, place=PLACE)
    cipher = world.cipher()
    world.keeper.down = True
    failed = await asyncio.gather(
        *(cipher.decrypt(sealed, place=PLACE) for _ in range(50)), return_exceptions=True
    )
    assert [type(each) for each in failed] == [Unavailable] * 50
    assert world.keeper.unwrapped == 1
    world.keeper.down = False
    assert await cipher.decrypt(sealed, place=PLACE) == TEXT


async def test_an_outage_leaves_open_keys_of_use(world: World) -> None:
    cipher = world.cipher()
    sealed = await cipher.encrypt(TEXT, place=PLACE)
    world.keeper.down = True
    assert await cipher.decrypt(sealed, place=PLACE) == TEXT
    with pytest.raises(Unavailable):
        await cipher.encrypt(TEXT, place=Place("other", "t", "r", "c"))
    assert await world.data_keys("other") == ()


@pytest.mark.parametrize("ticks", [1, 2, 3, 5])
async def test_a_caller_who_leaves_lets_another_ask(world: World, ticks: int) -> None:
    sealed = await world.cipher().encrypt(TEXT, place=PLACE)
    cipher = world.cipher()
    world.keeper.gate = asyncio.Event()
    tasks = [asyncio.ensure_future(cipher.decrypt(sealed, place=PLACE)) for _ in range(20)]
    for leaving in (tasks[0], tasks[1], tasks[7]):
        for _ in range(ticks):
            await asyncio.sleep(0)
        leaving.cancel()
    for _ in range(ticks):
        await asyncio.sleep(0)
    world.keeper.gate.set()
    read = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(read[n]) for n in (0, 1, 7)] == [asyncio.CancelledError] * 3
    assert [each for n, each in enumerate(read) if n not in {0, 1, 7}] == [TEXT] * 17
    assert world.keeper.unwrapped <= 4


async def test_an_unknown_key_is_not_found_and_not_remembered(world: World) -> None:
    cipher = world.cipher()
    sealed = await cipher.encrypt(TEXT, place=PLACE)
    (key,) = await world.data_keys()
    del world.store.database.data_keys[key.id]
    cipher.forget("acme")
    with pytest.raises(NotFound) as refused:
        await cipher.decrypt(sealed, place=PLACE)
    assert refused.value.code == "data_key_not_found"
    world.put(key)
    assert await cipher.decrypt(sealed, place=PLACE) == TEXT


async def test_a_host_may_ask_for_a_new_key(world: World) -> None:
    cipher = world.cipher()
    old = await cipher.encrypt(TEXT, place=PLACE)
    made = await cipher.data_keys.make("acme", actor="cli")
    assert key_of(await cipher.encrypt(TEXT, place=PLACE)) == made.id != key_of(old)
    assert await cipher.decrypt(old, place=PLACE) == TEXT
    assert [each.actor for each in world.store.database.audit["acme"]] == ["tollkeeper", "cli"]


async def test_a_key_is_wrapped_anew_after_a_rotation(world: World) -> None:
    data_keys = world.cipher().data_keys
    await data_keys.make("acme", actor="host")
    (key,) = await world.data_keys()
    assert await data_keys.rewrapped(key) is key.wrapped
    world.keeper.ring = world.keeper.ring.with_new_primary(at=world.clock.now())
    wrapped = await data_keys.rewrapped(key)
    assert wrapped.kek_id == world.keeper.ring.primary.id
    world.put(key.rewrap(wrapped))
    assert await world.cipher().data_keys.get(account="acme", data_key_id=key.id)
    with pytest.raises(Conflict, match="was destroyed"):
        await data_keys.rewrapped(key.destroy())


def test_a_malformed_environment_is_refused_at_once(world: World) -> None:
    for odd in ("", "a\nb"):
        with pytest.raises(InvalidRequest) as refused:
            world.cipher(environment=odd)
        assert refused.value.code == "invalid_context"


async def test_a_value_names_its_key_and_algorithm(world: World) -> None:
    value = SealedValue.parse(await world.cipher().encrypt(TEXT, place=PLACE))
    (key,) = await world.data_keys()
    assert (value.algorithm, value.data_key_id) == (key.algorithm, key.id)
