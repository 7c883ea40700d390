"""What goes wrong with the source of the peppers leaves the last ones in use, and is said."""

import asyncio
import traceback
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.application.pepper_sources import NEW, NEXT, OLD, PepperSource, away, pepper
from tests.application.virtual_time import LoopClock, in_virtual_time
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.application.key_peppers import KeyPeppers
from tollkeeper.domain.errors import ConfigurationError, NotFound, Unavailable

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


@pytest.mark.parametrize("weak", ["short", "a" * 64, "x" * 31, OLD + "\n"], ids=ascii)
async def test_a_weak_pepper_stops_the_start_and_no_reload_takes_it(
    peppers: KeyPeppers, source: PepperSource, weak: str
) -> None:
    async with peppers:
        source.rotate(weak)
        with pytest.raises(ConfigurationError, match="weak; write what `openssl") as refused:
            await peppers.reload()
        assert refused.value.code == "weak_pepper"
        assert peppers.current() == pepper(OLD)
        with pytest.raises(Unavailable, match=r"the last ones are in use.*is weak") as failed:
            await peppers.health()
        assert failed.value.code == "peppers_not_reloaded"
        source.rotate(NEW)  # what is previous now is weak, so it never was in use
        await peppers.reload()
        assert peppers.by_id(pepper(OLD).id) is None
        assert await peppers.health() == f"the pepper {pepper(NEW).id}, 0 retired"
    source.rotate(weak)
    with pytest.raises(ConfigurationError):
        await KeyPeppers(source, "pepper", peppers.clock).__aenter__()


async def test_an_outage_leaves_the_last_peppers_in_use(
    peppers: KeyPeppers, source: PepperSource
) -> None:
    async with peppers:
        for fault in (away(), NotFound("gone", code="secret_not_found")):
            source.fault = fault
            with pytest.raises(type(fault)):
                await peppers.reload()
            assert peppers.current() == pepper(OLD)
            with pytest.raises(Unavailable, match=fault.public_message):
                await peppers.health()
        source.fault = None
        await peppers.reload()
        assert await peppers.health() == f"the pepper {pepper(OLD).id}, 0 retired"


async def test_an_outage_during_a_search_leaves_the_pepper_unknown(
    peppers: KeyPeppers, source: PepperSource
) -> None:
    async with peppers:
        source.fault = away()
        assert await peppers.find(pepper(NEW).id) is None
        with pytest.raises(Unavailable, match="the source is away"):
            await peppers.health()


async def test_what_is_not_open_is_an_outage_and_no_answer(peppers: KeyPeppers) -> None:
    uses: list[Callable[[], object]] = [peppers.current, lambda: peppers.by_id("x")]
    for use in uses:
        with pytest.raises(Unavailable) as failed:
            use()
        assert failed.value.code == "not_open"
    for ask in (peppers.find("x"), peppers.health()):
        with pytest.raises(Unavailable) as failed:
            await ask
        assert failed.value.code == "not_open"


async def test_who_leaves_does_not_end_the_search_of_others(
    peppers: KeyPeppers, source: PepperSource
) -> None:
    async with peppers:
        source.rotate(NEW)
        searches = [asyncio.ensure_future(peppers.find(pepper(NEW).id)) for _ in range(4)]
        await asyncio.sleep(0)
        searches[0].cancel()
        ends = await asyncio.gather(*searches, return_exceptions=True)
        assert isinstance(ends[0], asyncio.CancelledError)
        assert ends[1:] == [pepper(NEW)] * 3


async def test_nothing_shows_a_pepper(peppers: KeyPeppers, source: PepperSource) -> None:
    """A canary in no repr, text, or traceback with its locals (T23)."""
    async with peppers:
        source.rotate(canary := "hidden-" * 2)
        with pytest.raises(ConfigurationError) as refused:
            await peppers.reload()
        inside = refused.tb.tb_next  # the first frame is this test's own
        told = traceback.TracebackException(
            refused.type, refused.value, inside, capture_locals=True
        )
        shown = f"{peppers!r} {''.join(told.format())} {refused.value!r}"
        for text in (canary, OLD):
            assert text not in shown


@in_virtual_time
async def test_it_is_refreshed_for_ever_whatever_fails() -> None:
    source = PepperSource.of(OLD)
    async with KeyPeppers(source, "pepper", LoopClock()) as peppers:
        refreshing = asyncio.ensure_future(peppers.refresh_forever(timedelta(minutes=5)))
        source.rotate(NEW)
        await asyncio.sleep(299)
        assert peppers.current() == pepper(OLD)
        await asyncio.sleep(2)
        assert peppers.current() == pepper(NEW)
        source.fault = away()
        await asyncio.sleep(301)
        source.fault = None
        source.rotate("weak")
        await asyncio.sleep(301)
        source.rotate(NEXT)
        source.rotate(OLD)
        await asyncio.sleep(301)
        assert peppers.current() == pepper(OLD)
        assert source.asked == 5
        refreshing.cancel()
        await asyncio.wait([refreshing])


@in_virtual_time
async def test_closing_ends_a_search_and_what_it_looked_for_is_not_known() -> None:
    source = PepperSource.of(OLD)
    async with KeyPeppers(source, "pepper", LoopClock()) as peppers:
        source.slow = 3600
        search = asyncio.ensure_future(peppers.find("lost"))
        await asyncio.sleep(1)
    assert await search is None
