"""Peppers from a secret source are rotated without a restart."""

import asyncio
from datetime import timedelta

import pytest
from attrs import evolve

from tests.application.pepper_sources import NEW, NEXT, OLD, PepperSource, pepper
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.key_store import MemoryKeyStore
from tollkeeper.adapters.system.identifiers import SystemIdentifiers
from tollkeeper.application.key_minting import FixedPeppers, KeyMint, Peppers
from tollkeeper.application.key_peppers import KeyPeppers
from tollkeeper.application.key_reads import KeyReads
from tollkeeper.application.known_keys import Known, KnownKeys
from tollkeeper.contracts.samples import an_api_key, an_audit_entry
from tollkeeper.domain.errors import Unavailable
from tollkeeper.ports.health import HealthCheck

pytestmark = pytest.mark.anyio


@pytest.fixture
def source() -> PepperSource:
    return PepperSource.of(OLD)


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def peppers(source: PepperSource, clock: MemoryClock) -> KeyPeppers:
    return KeyPeppers(source, "pepper", clock)


async def test_the_current_and_the_previous_version_are_known(
    peppers: KeyPeppers, source: PepperSource
) -> None:
    source.rotate(NEW)
    async with peppers:
        assert peppers.current() == pepper(NEW)
        for text in (OLD, NEW):
            assert peppers.by_id(pepper(text).id) == pepper(text)
        assert peppers.by_id(pepper(NEXT).id) is None


async def test_retired_peppers_are_always_known(source: PepperSource, clock: MemoryClock) -> None:
    async with KeyPeppers(source, "pepper", clock, retired=(pepper(NEXT),)) as peppers:
        assert peppers.current() == pepper(OLD)
        assert peppers.by_id(pepper(NEXT).id) == pepper(NEXT)
        source.rotate(NEW)
        await peppers.reload()
        for text in (OLD, NEW, NEXT):
            assert peppers.by_id(pepper(text).id) == pepper(text)


async def test_a_change_is_taken_over_without_a_restart(
    peppers: KeyPeppers, source: PepperSource
) -> None:
    async with peppers:
        source.rotate(NEW)
        assert peppers.current() == pepper(OLD)
        await peppers.reload()
        assert peppers.current() == pepper(NEW)
        assert peppers.by_id(pepper(OLD).id) == pepper(OLD)


async def test_current_and_retired_change_in_one_step(
    peppers: KeyPeppers, source: PepperSource
) -> None:
    async with peppers:
        source.rotate(NEW)
        seen = set()
        reload = asyncio.ensure_future(peppers.reload())
        while not reload.done():
            known = frozenset(t for t in (OLD, NEW) if peppers.by_id(pepper(t).id))
            seen.add((peppers.current() == pepper(NEW), known))
            await asyncio.sleep(0)
        seen.add((True, frozenset(t for t in (OLD, NEW) if peppers.by_id(pepper(t).id))))
        assert seen == {(False, frozenset({OLD})), (True, frozenset({OLD, NEW}))}


async def test_unknown_pepper_causes_one_reload_for_many(
    peppers: KeyPeppers, source: PepperSource
) -> None:
    """A key under the new pepper reaches a process that started with the old list (T27)."""
    async with peppers:
        source.rotate(NEW)
        asked = source.asked
        found = await asyncio.gather(*(peppers.find(pepper(NEW).id) for _ in range(200)))
        assert set(found) == {pepper(NEW)}
        assert source.asked == asked + 1


async def test_unknown_peppers_cause_one_reload_per_pause_not_one_per_call(
    peppers: KeyPeppers, source: PepperSource, clock: MemoryClock
) -> None:
    """A pepper that is lost, or rolled back, does not turn each call into a request (T27)."""
    async with peppers:
        asked = source.asked
        for number in range(100):
            assert await peppers.find(f"lost{number}") is None
        assert source.asked == asked + 1
        clock.advance(timedelta(seconds=29))
        assert await peppers.find("lost") is None
        assert source.asked == asked + 1
        clock.advance(timedelta(seconds=1))
        source.rotate(NEW)
        assert await peppers.find(pepper(NEW).id) == pepper(NEW)
        assert source.asked == asked + 2


async def test_keys_under_a_pepper_that_is_not_here_fail_closed_and_are_named(
    peppers: KeyPeppers, source: PepperSource, clock: MemoryClock
) -> None:
    """A process with the old list refuses what one with the new list made, as an outage (T27)."""
    newer = KeyMint(SystemIdentifiers(), "tk_test", FixedPeppers([pepper(NEW), pepper(OLD)]))
    token, secret = newer.make_secret(clock.now())
    key = evolve(an_api_key("acme", at=clock.now()), secrets=(secret,))
    store = MemoryKeyStore()
    await store.add(newer.seal(key), audit=an_audit_entry("acme", at=clock.now()))
    async with peppers:
        mint = KeyMint(SystemIdentifiers(), "tk_test", peppers)
        reads = KeyReads(store, mint, KnownKeys(ttl=30.0), clock)
        for _ in range(50):
            with pytest.raises(Unavailable) as refused:
                await reads.read(secret.kid)
            assert refused.value.code == "pepper_unknown"
        assert not mint.proves(token.reveal(), secret)
        assert source.asked == 2  # at the start, and for the first of all these calls
        assert f"refused that were made under {pepper(NEW).id}" in await peppers.health()
        source.rotate(NEW)
        clock.advance(timedelta(seconds=30))
        assert isinstance(await reads.read(secret.kid), Known)
        assert mint.proves(token.reveal(), secret)
        assert await peppers.health() == f"the pepper {pepper(NEW).id}, 1 retired"


async def test_a_rollback_is_followed_and_what_was_newer_is_not_known(
    peppers: KeyPeppers, source: PepperSource
) -> None:
    """Keys made under the newer pepper fail closed (T27)."""
    source.rotate(NEW)
    async with peppers:
        source.roll_back(OLD)
        await peppers.reload()
        assert peppers.current() == pepper(OLD)
        assert peppers.by_id(pepper(NEW).id) is None


async def test_reloads_at_once_never_end_with_the_older_answer(
    peppers: KeyPeppers, source: PepperSource
) -> None:
    async with peppers:
        first = asyncio.ensure_future(peppers.reload())
        await asyncio.sleep(0)
        source.rotate(NEW)
        await asyncio.gather(first, peppers.reload())
        assert peppers.current() == pepper(NEW)


async def test_the_names_that_are_missed_have_a_bound(peppers: KeyPeppers) -> None:
    async with peppers:
        for number in range(1000):
            await peppers.find(f"lost-{number}")
        assert (await peppers.health()).count("lost-") == 8


async def test_a_key_of_before_the_rotation_works_and_new_ones_are_under_the_new_pepper(
    peppers: KeyPeppers, source: PepperSource, clock: MemoryClock
) -> None:
    fits: Peppers = peppers
    mint = KeyMint(SystemIdentifiers(), "tk_live", fits)
    assert isinstance(peppers, HealthCheck)
    async with peppers:
        token, kept = mint.make_secret(clock.now())
        source.rotate(NEW)
        await peppers.reload()
        assert mint.proves(token.reveal(), kept)
        assert mint.make_secret(clock.now())[1].pepper_id == pepper(NEW).id
        source.rotate(NEXT)
        await peppers.reload()
        assert not mint.proves(token.reveal(), kept)
