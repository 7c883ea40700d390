"""A verifier belongs to one event loop at a time."""

import asyncio
import threading
from datetime import timedelta

import pytest

from tests.servers.http_player import Play
from tests.servers.jwks_server import JwksServer, jwks_server, signing_key
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.pyjwt.token_verifier import PyjwtTokenVerifier
from tollkeeper.contracts.token_verifier import AUDIENCE, ISSUER, claims_at
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret

KEY = signing_key("ES256")


async def once(verifier: PyjwtTokenVerifier, clock: MemoryClock) -> None:
    """Verify a good token."""
    async with verifier:
        await verifier.verify(Secret(KEY.sign(claims_at(clock.now()))))


def verifier_of(server: JwksServer, clock: MemoryClock) -> PyjwtTokenVerifier:
    url = f"{server.url}?issuer={ISSUER}&audience={AUDIENCE}"
    return PyjwtTokenVerifier.from_url(url, clock=clock)


def test_it_serves_one_event_loop_after_the_other() -> None:
    clock = MemoryClock()
    with jwks_server(KEY) as server:
        verifier = verifier_of(server, clock)
        for _ in range(2):
            asyncio.run(once(verifier, clock))
            clock.advance(timedelta(minutes=10))
        assert len(server.requests) == 2


def test_it_does_not_serve_two_loops_at_once() -> None:
    clock = MemoryClock()
    with jwks_server(KEY) as server:
        server.play = Play(head=False, ending="stall")
        verifier = verifier_of(server, clock)
        asked = threading.Event()
        leave = threading.Event()

        async def hold() -> None:
            async with verifier:
                waiting = asyncio.create_task(once(verifier, clock))
                while not server.requests:
                    await asyncio.sleep(0.01)
                asked.set()
                await asyncio.to_thread(leave.wait, 10)
                waiting.cancel()

        elsewhere = threading.Thread(target=asyncio.run, args=(hold(),))
        elsewhere.start()
        assert asked.wait(10)
        token = Secret(KEY.sign(claims_at(clock.now())))
        try:
            with pytest.raises(ConfigurationError, match="make one for each loop"):
                asyncio.run(asyncio.wait_for(verifier.verify(token), 5))
        finally:
            leave.set()
            elsewhere.join(10)
