"""The peppers of API keys, from a secret source, and taken over without a restart."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Self

from attrs import define, field, frozen

from tollkeeper.domain.errors import ConfigurationError, TollkeeperError, Unavailable
from tollkeeper.domain.key_tokens import Pepper
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.secret_strength import REMEDY, is_default, is_weak
from tollkeeper.domain.secret_versions import SecretVersions
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.versioned_secrets import VersionedSecretSource

_PORT = "key_peppers"
_MOST_MISSING = 8


@frozen
class _Table:
    """All peppers of one moment; it takes another one's place as a whole."""

    current: Pepper
    by_id: Mapping[str, Pepper]


@define(eq=False)
class KeyPeppers:
    """The pepper that the secret called *name* holds, the one that it held before, and others.

    Open it with ``async with``: that loads them, and what is weak stops the start. To rotate,
    change the secret: new keys are made under its current version, keys under the previous one
    work on, and each is put under the current one when it is used. :meth:`refresh_forever` looks
    for a change now and then; a key under a pepper that is not known has it looked for at once.

    Args:
        source: keeps the current and the previous version of the secret.
        name: what the secret is called there.
        clock: tells when peppers may be looked for again.
        retired: peppers of longer ago, which are always known.
        pause: for how long a pepper that was looked for in vain is not looked for again, and no
            other either.
    """

    source: VersionedSecretSource
    name: str
    clock: Clock
    retired: tuple[Pepper, ...] = ()
    pause: timedelta = timedelta(seconds=30)
    _table: _Table | None = field(default=None, init=False)
    _fault: str = field(default="", init=False)
    _missing: dict[str, None] = field(factory=dict, init=False)
    _turn: asyncio.Lock = field(factory=asyncio.Lock, init=False, repr=False)
    _search: "asyncio.Task[None] | None" = field(default=None, init=False, repr=False)
    _searched_at: float | None = field(default=None, init=False, repr=False)

    async def __aenter__(self) -> Self:
        """Load the peppers; raises as :meth:`reload` does."""
        await self.reload()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End a search that is under way; what it looked for is not known."""
        if self._search is not None:
            search = self._search
            search.cancel()
            await asyncio.wait([search])

    def current(self) -> Pepper:
        """Return the one that new secrets and seals are made with.

        Raises:
            Unavailable: none was loaded yet (code ``not_open``).
        """
        return self._loaded().current

    def by_id(self, pepper_id: str) -> Pepper | None:
        """Return the one of that name, current or retired, if it is known.

        Raises:
            Unavailable: none was loaded yet (code ``not_open``).
        """
        return self._loaded().by_id.get(pepper_id)

    async def find(self, pepper_id: str) -> Pepper | None:
        """Return the one of that name; if it is not known, load them anew and look again.

        Those who look at the same time share one load, and none follows for as long as *pause*.
        Where the load fails, that is noted for :meth:`health`, and the pepper is not known.

        Raises:
            Unavailable: none was loaded yet (code ``not_open``).
        """
        known = self.by_id(pepper_id)
        if known is not None:
            return known
        if self._search is None and self._may_search():
            # A task of its own: who came first may leave without failing the others.
            self._search = asyncio.get_running_loop().create_task(self._look_again())
            self._search.add_done_callback(self._search_over)
        if self._search is not None:
            await asyncio.wait([self._search])
            known = self.by_id(pepper_id)
        if known is None:
            self._note_missing(pepper_id)
        return known

    async def reload(self) -> None:
        """Load the peppers anew; in one step the new ones take the place of the old ones.

        Raises:
            ConfigurationError: the current one is weak (code ``weak_pepper``), or no text.
            NotFound: there is no such secret (code ``secret_not_found``).
            PortError: the source cannot be reached, or refuses us.

        The old ones stay where it fails.
        """
        async with self._turn:  # one at a time: of two answers the later one would have to win
            try:
                self._table = self._table_of(await self.source.versions(self.name))
            except TollkeeperError as error:
                self._fault = error.public_message
                raise
            self._fault = ""
            for pepper_id in self._table.by_id:
                self._missing.pop(pepper_id, None)

    async def refresh_forever(self, every: timedelta) -> None:
        """Load them anew each time that *every* is over, until cancelled; failures are noted."""
        while True:
            await asyncio.sleep(every.total_seconds())
            with suppress(TollkeeperError):
                await self.reload()

    async def health(self) -> str:
        """Tell the names of the peppers, and of those that keys need and that are not here.

        Raises:
            Unavailable: they could not be loaded the last time (code ``peppers_not_reloaded``),
                or never were (code ``not_open``).
        """
        table = self._loaded()
        if self._fault:
            raise Unavailable(
                f"the key peppers could not be loaded again, the last ones are in use: "
                f"{self._fault}",
                port=_PORT,
                adapter="secret_source",
                code="peppers_not_reloaded",
            )
        said = f"the pepper {table.current.id}, {len(table.by_id) - 1} retired"
        if self._missing:
            said += f"; keys are refused that were made under {', '.join(self._missing)}"
        return said

    def _loaded(self) -> _Table:
        if self._table is None:
            raise Unavailable(
                "the key peppers are not loaded; use them inside `async with`",
                port=_PORT,
                adapter="secret_source",
                code="not_open",
            )
        return self._table

    def _table_of(self, versions: SecretVersions) -> _Table:
        if is_weak(versions.current) or is_default(versions.current):
            raise ConfigurationError(
                f"key_pepper: the secret {self.name!a} is weak; write {REMEDY}",
                code="weak_pepper",
            )
        current = _pepper_of(versions.current)
        peppers = [current, *self.retired]
        # A weak one never was in use: whoever replaces it must not have to do so twice.
        if versions.previous is not None and not is_weak(versions.previous):
            peppers.append(_pepper_of(versions.previous))
        return _Table(current, {pepper.id: pepper for pepper in peppers})

    def _may_search(self) -> bool:
        now = self.clock.monotonic()
        at = self._searched_at
        if at is not None and now - at < self.pause.total_seconds():
            return False
        self._searched_at = now
        return True

    async def _look_again(self) -> None:
        with suppress(TollkeeperError):
            await self.reload()

    def _search_over(self, _: "asyncio.Task[None]") -> None:
        self._search = None

    def _note_missing(self, pepper_id: str) -> None:
        self._missing[pepper_id] = None
        while len(self._missing) > _MOST_MISSING:
            del self._missing[next(iter(self._missing))]


def _pepper_of(secret: Secret) -> Pepper:
    return Pepper(secret.reveal().encode())
