"""The key set of an issuer: fetched once for all, kept for a while, and never taken for granted."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from tests.servers.http_player import Play
from tests.servers.jwks_server import JwksServer, SigningKey, jwks_server, signing_key
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.pyjwt.jwks import LARGEST_SET, JwksKeys
from tollkeeper.adapters.pyjwt.token_verifier import PyjwtTokenVerifier
from tollkeeper.contracts.token_verifier import AUDIENCE, ISSUER, claims_at
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    PortError,
    Timeout,
    Unauthenticated,
    Unavailable,
)
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio
OPTIONS = f"?issuer={ISSUER}&audience={AUDIENCE}"
FIRST, NEXT = signing_key("ES256"), signing_key("ES256", "next")
DOWN = Play(status=500, framing="length")


@pytest.fixture
def server() -> Iterator[JwksServer]:
    with jwks_server(FIRST) as server:
        yield server


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
async def verifier(server: JwksServer, clock: MemoryClock) -> AsyncIterator[PyjwtTokenVerifier]:
    async with PyjwtTokenVerifier.from_url(server.url + OPTIONS, clock=clock) as verifier:
        yield verifier


def token(clock: MemoryClock, key: SigningKey = FIRST) -> Secret:
    return Secret(key.sign(claims_at(clock.now())))


def later(clock: MemoryClock, **by: float) -> None:
    clock.advance(timedelta(**by))


async def test_opening_sends_nothing_and_a_malformed_token_asks_nobody(
    verifier: PyjwtTokenVerifier, server: JwksServer, clock: MemoryClock
) -> None:
    genuine = token(clock).reveal()
    for text in ("", "x", f"{genuine}\n", f"{genuine}!", "e30.e30.e30", genuine + "A" * 16_384):
        with pytest.raises(Unauthenticated):
            await verifier.verify(Secret(text))
    assert server.requests == []


async def test_a_set_is_fetched_once_for_many_callers_and_tokens(
    verifier: PyjwtTokenVerifier, server: JwksServer, clock: MemoryClock
) -> None:
    """500 who need the keys at once are one request (T15)."""
    await asyncio.gather(*(verifier.verify(token(clock)) for _ in range(500)))
    later(clock, minutes=9)
    await verifier.verify(token(clock))
    assert len(server.requests) == 1
    later(clock, minutes=1)
    await verifier.verify(token(clock))
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("public, max-age=300", 300),
        ("max-age=5", 60),
        ("max-age=999999999", 3600),
        ("no-store, MAX-AGE=120, private", 120),
        ("s-maxage=90", 600),
        ("max-age=soon", 600),
        ("no-cache", 600),
    ],
)
async def test_how_long_a_set_counts_is_what_the_issuer_says_within_bounds(
    verifier: PyjwtTokenVerifier, server: JwksServer, clock: MemoryClock, told: str, seconds: int
) -> None:
    server.headers = {"cache-control": told}
    await verifier.verify(token(clock))
    later(clock, seconds=seconds - 1)
    await verifier.verify(token(clock))
    assert len(server.requests) == 1
    later(clock, seconds=1)
    await verifier.verify(token(clock))
    assert len(server.requests) == 2


async def test_a_new_key_is_found_and_one_that_is_gone_is_dropped(
    verifier: PyjwtTokenVerifier, server: JwksServer, clock: MemoryClock
) -> None:
    await verifier.verify(token(clock))
    server.keys = [NEXT]
    later(clock, seconds=30)
    await verifier.verify(token(clock, NEXT))
    with pytest.raises(Unauthenticated) as refused:
        await verifier.verify(token(clock))
    assert refused.value.code == "token_invalid"
    server.keys = []
    later(clock, minutes=10)
    with pytest.raises(Unauthenticated):
        await verifier.verify(token(clock, NEXT))


async def test_a_flood_of_unknown_keys_is_one_request_in_half_a_minute(
    verifier: PyjwtTokenVerifier, server: JwksServer, clock: MemoryClock
) -> None:
    """An unknown key lets the set be fetched once, not once for each call."""
    await verifier.verify(token(clock))
    unknown = [Secret(FIRST.sign(claims_at(clock.now()), kid=f"key-{n}")) for n in range(300)]
    for seconds, requests in ((29, 1), (1, 2), (29, 2), (1, 3)):
        later(clock, seconds=seconds)
        answers = await asyncio.gather(*map(verifier.verify, unknown), return_exceptions=True)
        assert {type(answer) for answer in answers} == {Unauthenticated}
        await verifier.verify(token(clock))
        assert len(server.requests) == requests


async def test_while_the_issuer_is_away_the_last_good_set_serves_for_a_day(
    verifier: PyjwtTokenVerifier, server: JwksServer, clock: MemoryClock
) -> None:
    await verifier.verify(token(clock))
    server.play = DOWN
    later(clock, hours=23, minutes=59)
    for _ in range(3):
        await verifier.verify(token(clock))
    assert len(server.requests) == 2  # it is asked again after a pause, not at each call
    later(clock, minutes=1)
    with pytest.raises(Unavailable):
        await verifier.verify(token(clock))
    server.play = None
    later(clock, seconds=1)
    await verifier.verify(token(clock))


async def test_a_key_that_may_be_new_is_not_refused_while_the_issuer_is_away(
    verifier: PyjwtTokenVerifier, server: JwksServer, clock: MemoryClock
) -> None:
    await verifier.verify(token(clock))
    server.play = DOWN
    later(clock, seconds=30)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await verifier.verify(token(clock, NEXT))
        await verifier.verify(token(clock))
    assert len(server.requests) == 2
    server.play = None
    later(clock, seconds=30)
    with pytest.raises(Unauthenticated):  # now it is known that the issuer has no such key
        await verifier.verify(token(clock, NEXT))
    assert len(server.requests) == 3


OUTAGES = {
    "down": (DOWN, Unavailable),
    "missing": (Play(status=404, framing="length"), Unavailable),
    "redirect": (
        Play(status=302, headers={"location": "http://127.0.0.1:1/"}, framing="length"),
        Unavailable,
    ),
    "garbage": (Play((b"<html>",), content_type="text/html"), CorruptResponse),
    "no object": (Play((b"[]",)), CorruptResponse),
    "no keys": (Play((b'{"keys": {}}',)), CorruptResponse),
    "twice": (Play((b'{"keys": [], "keys": []}',)), CorruptResponse),
    "deep": (Play((b"[" * 100_000,)), CorruptResponse),
    "huge": (Play((b" " * LARGEST_SET, b" ")), CorruptResponse),
    "many": (Play((json.dumps({"keys": [FIRST.jwk] * 101}).encode(),)), CorruptResponse),
    "cut": (Play((b'{"keys"',), ending="cut"), Unavailable),
    "reset": (Play((b'{"keys"',), ending="reset"), Unavailable),
    "no http": (Play((b"hello\r\n\r\n",), raw=True), CorruptResponse),
}


@pytest.mark.parametrize("outage", OUTAGES)
async def test_keys_that_cannot_be_had_are_an_outage_and_never_a_refusal(
    verifier: PyjwtTokenVerifier, server: JwksServer, clock: MemoryClock, outage: str
) -> None:
    """No fault of the issuer makes a principal, or calls a token invalid (T28)."""
    play, expected = OUTAGES[outage]
    server.play = play
    answers = await asyncio.gather(
        *(verifier.verify(token(clock)) for _ in range(3)), return_exceptions=True
    )
    for answer in answers:
        assert type(answer) is expected
        assert isinstance(answer, PortError)
        assert (answer.port, answer.adapter) == ("token_verifier", "pyjwt")
    assert len({id(answer) for answer in answers}) == 3
    with pytest.raises(expected):
        await verifier.health()
    assert len(server.requests) == 2
    server.play = None
    later(clock, seconds=1)
    await verifier.verify(token(clock))


async def test_a_redirect_is_not_followed(
    verifier: PyjwtTokenVerifier, server: JwksServer, clock: MemoryClock
) -> None:
    with jwks_server(FIRST) as elsewhere:
        target = elsewhere.url.removeprefix("jwks+")
        server.play = Play(status=307, headers={"location": target}, framing="length")
        with pytest.raises(Unavailable, match="a redirect is not followed"):
            await verifier.verify(token(clock))
        assert elsewhere.requests == []


async def test_an_issuer_that_stalls_or_trickles_is_given_up(
    server: JwksServer, clock: MemoryClock
) -> None:
    plays = (
        Play(head=False, ending="stall"),
        Play((b"{",), ending="stall"),
        Play(tuple(part for _ in range(40) for part in (b" ", 0.05))),
    )
    for play in plays:
        server.play = play
        url = server.url.removeprefix("jwks+")
        keys = JwksKeys(url, clock, timeout=timedelta(seconds=0.2))
        with pytest.raises(Timeout):
            async with asyncio.timeout(5):
                await keys.find("first", "ES256")
        await keys.close()


async def test_a_caller_who_leaves_does_not_end_the_request_of_the_others(
    verifier: PyjwtTokenVerifier, server: JwksServer, clock: MemoryClock
) -> None:
    server.play = Play((json.dumps({"keys": [FIRST.jwk]}).encode(),), head_after=0.1)
    tasks = [asyncio.create_task(verifier.verify(token(clock))) for _ in range(4)]
    await asyncio.sleep(0.03)
    tasks[0].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert not any(isinstance(answer, BaseException) for answer in answers[1:])
    assert len(server.requests) == 1


async def test_closing_gives_up_what_is_under_way(server: JwksServer, clock: MemoryClock) -> None:
    server.play = Play(head=False, ending="stall")
    async with PyjwtTokenVerifier.from_url(server.url + OPTIONS, clock=clock) as verifier:
        waiting = asyncio.create_task(verifier.verify(token(clock)))
        while not server.requests:
            await asyncio.sleep(0.01)
    with pytest.raises(Unavailable):
        await waiting
    assert await server.requests[0].has_ended()
    server.play = None
    later(clock, seconds=1)
    async with verifier:
        await verifier.verify(token(clock))


async def test_health_says_how_many_keys_there_are(
    verifier: PyjwtTokenVerifier, server: JwksServer
) -> None:
    server.keys = [FIRST, NEXT]
    assert (await verifier.health()).startswith("2 keys of the issuer, PyJWT 2.")
    server.keys = []
    with pytest.raises(ConfigurationError, match=r"jwt\+hs256"):
        await verifier.health()


async def test_an_issuer_that_nobody_answers_for_is_an_outage(clock: MemoryClock) -> None:
    with jwks_server() as gone:
        url = gone.url
    async with PyjwtTokenVerifier.from_url(url + OPTIONS, clock=clock) as verifier:
        with pytest.raises(Unavailable):
            await verifier.verify(token(clock))
