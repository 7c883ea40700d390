"""Reading API keys from the store: one read for many who ask, and only records that are intact."""

import asyncio
from collections import Counter, OrderedDict
from hmac import compare_digest, digest

from attrs import define, field

from tollkeeper.application.key_minting import KeyMint
from tollkeeper.application.known_keys import Known, KnownKeys, known_of
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.errors import Unavailable
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.key_store import KeyStore

_MOST_SHOWN = 10_000


@define(eq=False)
class KeyReads:
    """Reads keys by kid; what may be known of them goes to *known*. One event loop's."""

    key_store: KeyStore
    mint: KeyMint
    known: KnownKeys
    clock: Clock
    reads: int = 0
    """How often the store was asked."""
    _flights: "dict[str, asyncio.Task[Known | ApiKey | None]]" = field(
        factory=dict, init=False, repr=False
    )
    _alone: Counter[str] = field(factory=Counter, init=False, repr=False)
    _shown: "OrderedDict[str, bytes]" = field(factory=OrderedDict, init=False, repr=False)
    """By kid: a MAC of its token, under a key that this process alone has."""
    _mac_key: bytes = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.known.on_drop = self._forget_flights
        self._mac_key = self.mint.identifiers.random_bytes(32)

    def is_shown(self, kid: str, token: Secret) -> bool | None:
        """Whether *token* is that of *kid*, as far as this process knows; None if it does not.

        A kid has one token for ever. Known is it once somebody showed the right one: then any
        other is wrong, whatever the store says.
        """
        shown = self._shown.get(kid)
        return None if shown is None else compare_digest(shown, self._mac(token))

    def note_shown(self, kid: str, token: Secret) -> None:
        """Note that somebody showed the right *token* of *kid*."""
        self._shown[kid] = self._mac(token)
        self._shown.move_to_end(kid)
        if len(self._shown) > _MOST_SHOWN:
            self._shown.popitem(last=False)

    def _mac(self, token: Secret) -> bytes:
        return digest(self._mac_key, token.reveal().encode(), "sha256")

    def under_way(self, kid: str) -> bool:
        """Whether *kid* is being read."""
        return kid in self._flights or kid in self._alone

    async def read(self, kid: str) -> Known | ApiKey | None:
        """Return the key of *kid*: a record that is not intact as it is, None if there is none.

        Those who ask while the same kid is read share the answer, but none that was out of date
        by a change of which this process had heard when they asked.

        Raises:
            PortError: the store cannot say, or the pepper of the key is not at hand.
        """
        if not self.known.keeps:
            # Nobody says here what was changed elsewhere: each caller sees for itself.
            self._alone[kid] += 1
            try:
                return await self._read(kid)
            finally:
                self._alone[kid] -= 1
                if not self._alone[kid]:
                    del self._alone[kid]
        flight = self._flights.get(kid)
        if flight is None:
            # A task of its own: the one who came first may leave without failing the others.
            flight = asyncio.get_running_loop().create_task(self._read(kid))
            self._flights[kid] = flight
            flight.add_done_callback(lambda done: self._landed(kid, done))
        return await asyncio.shield(flight)

    def _landed(self, kid: str, done: "asyncio.Task[Known | ApiKey | None]") -> None:
        if self._flights.get(kid) is done:
            del self._flights[kid]
        if not done.cancelled():
            done.exception()  # whoever waited has it; nobody may be left to hear it

    def _forget_flights(self, kids: tuple[str, ...]) -> None:
        for kid in kids:
            self._flights.pop(kid, None)

    async def _read(self, kid: str) -> Known | ApiKey | None:
        ticket = self.known.ticket()
        self.reads += 1
        key = await self.key_store.find(kid)
        secret = None if key is None else key.secret(kid)
        if key is None or secret is None:
            self.known.keep_absent(kid, ticket, now=self.clock.monotonic())
            return None
        find = self.mint.peppers.find
        pepper = await find(secret.pepper_id)
        if pepper is None or (key.seal and await find(key.seal.pepper_id) is None):
            raise Unavailable(
                "the key was made under a pepper that is not configured here; add it to "
                "retired_key_peppers, or wait until the new pepper has reached this process",
                port="key_peppers",
                adapter="settings",
                code="pepper_unknown",
            )
        if not self.mint.is_intact(key):
            return key
        known = known_of(key, secret, pepper, at=self.clock.now())
        self.known.keep(known, ticket, now=self.clock.monotonic())
        return known
