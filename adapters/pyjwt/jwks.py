"""The key set that an issuer publishes: fetched when it is needed, and kept for a while."""

import asyncio
import copy
import re
from datetime import timedelta

import jwt
from attrs import frozen
from yarl import URL

from tollkeeper.adapters.pyjwt.keys import KeySet, published_key
from tollkeeper.adapters.pyjwt.strict_json import decoded
from tollkeeper.adapters.wire.connections import HttpConnections
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    TollkeeperError,
    Unavailable,
)
from tollkeeper.ports.clock import Clock

PORT, ADAPTER = "token_verifier", "pyjwt"
LARGEST_SET = 256 * 1024
_MOST_KEYS = 100
_KEPT, _SHORTEST_KEPT, _LONGEST_KEPT = 600.0, 60.0, 3600.0
"""Seconds that a set counts as the issuer's present one."""
_HARD_AGE = 86_400.0
"""Seconds that the last good set serves while the issuer is away."""
_PAUSE = 30.0
"""Seconds between two looks for what the set does not have."""
_FIRST_PAUSE = 1.0
"""Seconds between two tries while there is no set at all."""
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?([0-9]{1,9})\"?(?=$|[\s,])", re.IGNORECASE)


@frozen
class _Held:
    keys: KeySet
    at: float
    kept: float


class JwksKeys:
    """The keys at *url*, which are asked for once for all callers who wait.

    A set counts for as long as its ``max-age`` says, a minute at least and an hour at most, and
    ten minutes if it says nothing. A key that it lacks lets it be fetched anew, once in 30
    seconds. While the issuer is away the last good set serves, for a day.
    """

    def __init__(self, url: str, clock: Clock, *, timeout: timedelta = timedelta(seconds=5)):
        self._url = URL(url)
        self._clock = clock
        self._timeout = timeout
        self._http = HttpConnections(
            limit=2,
            connect_timeout=timeout,
            largest_response=LARGEST_SET,
            port=PORT,
            adapter=ADAPTER,
        )
        self._held: _Held | None = None
        self._failure: TollkeeperError | None = None
        self._asked_at: float | None = None
        self._asking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Make ready to connect; nothing is sent yet."""
        await self._http.open()

    async def close(self) -> None:
        """Give up what is under way, and close the connections."""
        asking, self._asking = self._asking, None
        if asking is not None and asking.get_loop() is asyncio.get_running_loop():
            asking.cancel()
            await asyncio.wait([asking])
        await self._http.close()

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key of that name for *algorithm*; None if the issuer has none.

        Raises:
            PortError: the issuer could not be asked, so that nobody knows.
        """
        if self._is_due() and self._may_ask():
            await self._ask()
        key = self._present().find(key_id, algorithm)
        if key is None and self._may_ask():
            await self._ask()
            key = self._present().find(key_id, algorithm)
        if key is None and self._failure is not None:
            raise self._failed()
        return key

    async def health(self) -> str:
        """Fetch the set now.

        Raises:
            PortError: it cannot be had.
            ConfigurationError: no key of it is of use.
        """
        await self._ask()
        if self._failure is not None:
            raise self._failed()
        count = len(self._present())
        if count == 0:
            raise ConfigurationError(
                "token_verifier: the issuer publishes no key for RS256, ES256 or EdDSA; where it "
                "signs by a shared secret, write jwt+hs256://",
                code="no_published_key",
            )
        return f"{count} keys of the issuer"

    def _is_due(self) -> bool:
        held = self._held
        return held is None or self._clock.monotonic() - held.at >= held.kept

    def _may_ask(self) -> bool:
        if self._asking is not None or self._asked_at is None:
            return True
        pause = _FIRST_PAUSE if self._usable() is None else _PAUSE
        return self._clock.monotonic() - self._asked_at >= pause

    def _usable(self) -> KeySet | None:
        held = self._held
        if held is None or self._clock.monotonic() - held.at >= _HARD_AGE:
            return None
        return held.keys

    def _present(self) -> KeySet:
        keys = self._usable()
        if keys is None:
            raise self._failed()
        return keys

    def _failed(self) -> TollkeeperError:
        # Each caller raises an error of its own: a shared one would gather everybody's frames.
        if self._failure is None:
            return _unavailable("the issuer's keys could not be fetched; try again")
        error = copy.copy(self._failure)
        error.__cause__ = self._failure.__cause__
        return error

    async def _ask(self) -> None:
        """Fetch the set, together with everybody who waits for it; a caller may leave."""
        loop = asyncio.get_running_loop()
        if self._asking is None or self._asking.get_loop() is not loop:
            self._asking = loop.create_task(self._fetch())
        await asyncio.wait([self._asking])

    async def _fetch(self) -> None:
        task = asyncio.current_task()
        try:
            self._held = await self._fetched()
            self._failure = None
        except TollkeeperError as error:
            self._failure = error.with_traceback(None)
        finally:
            self._asked_at = self._clock.monotonic()
            if self._asking is task:
                self._asking = None

    async def _fetched(self) -> _Held:
        asked_at = self._clock.monotonic()
        async with self._http.request(
            "GET",
            self._url,
            None,
            headers=lambda: {"Accept": "application/json"},
            idle=self._timeout,
            total=self._timeout,
        ) as answer:
            if answer.status != 200:
                raise _refused(answer.status)
            body = await answer.read_all()
            kept = _kept(", ".join(answer.headers.getall("cache-control", [])))
        return _Held(_keys_in(body), asked_at, kept)


def _keys_in(body: bytes) -> KeySet:
    try:
        found = decoded(body)
    except ValueError:
        found = None
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
        raise CorruptResponse(
            "the issuer's answer is no key set; check the URL of token_verifier",
            port=PORT,
            adapter=ADAPTER,
        )
    return KeySet.of(key for each in listed if (key := published_key(each)) is not None)


def _kept(cache_control: str) -> float:
    found = _MAX_AGE.search(cache_control)
    if found is None:
        return _KEPT
    return min(max(float(found[1]), _SHORTEST_KEPT), _LONGEST_KEPT)


def _refused(status: int) -> Unavailable:
    if 300 <= status < 400:
        return _unavailable(
            "the issuer's keys are elsewhere, and a redirect is not followed; write the final "
            "address into token_verifier",
            status=status,
        )
    return _unavailable("the issuer does not hand out its keys", status=status)


def _unavailable(text: str, *, status: int | None = None) -> Unavailable:
    return Unavailable(text, port=PORT, adapter=ADAPTER, status=status)
