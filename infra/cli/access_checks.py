"""What `doctor` looks at of keys, peppers and the audit log."""

import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tollkeeper.application.key_minting import FixedPeppers, Peppers
from tollkeeper.domain.api_keys import ApiKey, KeyState
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.key_seals import is_intact

if TYPE_CHECKING:
    from tollkeeper.infra.settings import Settings

MOST_KEYS = 1000
"""So many are looked at: a store may hold millions, and who waits wants an answer."""
_PAGE = 200
_MOST_NAMED = 3


@frozen
class Hint:
    """Something that works, and should be otherwise."""

    text: str


def pepper_is_there(settings: "Settings") -> bool:
    """Whether the pepper can be read without making the file that holds it."""
    scheme, _, name = settings.store.partition(":///")
    there = scheme == "sqlite" and name and Path(name).with_suffix(".pepper").exists()
    return settings.key_pepper is not None or bool(there)


def where_pepper_is(settings: "Settings") -> str:
    """Say where the pepper comes from."""
    if settings.pepper_secret is not None:
        return "from the secret source"
    return "from the settings" if settings.key_pepper is not None else "made on first use"


async def look_at_pepper(settings: "Settings") -> str:
    """Read the peppers, unless that would make the file that holds them.

    Raises:
        ConfigurationError: they cannot be, or one is weak.
        PortError: the secret source is away.
    """
    async with _peppers(settings):
        return ""


def hints_of(settings: "Settings") -> Iterator[tuple[str, Hint]]:
    """Go through what should be otherwise in the settings of access, by what it is about."""
    from tollkeeper.infra.registry import scheme_of
    from tollkeeper.infra.settings import WITHOUT_PEPPER

    if settings.audit_key is None and settings.environment not in WITHOUT_PEPPER:
        yield (
            "audit key",
            Hint(
                "it derives from key_pepper, so that the log can be proved as long as that pepper "
                "is kept; set audit_key to a secret of its own (`tollkeeper secrets generate`)"
            ),
        )
    shared = scheme_of(settings.store) != "memory"
    deaf = scheme_of(settings.broadcast) == "memory"
    ttl = settings.key_cache_ttl
    if shared and deaf and ttl:
        yield (
            "key cache",
            Hint(
                f"processes do not hear of one another's changes, so that a revoked key works for "
                f"up to {ttl.total_seconds():g} s in the others; set broadcast to redis://…, or "
                "leave key_cache_ttl out"
            ),
        )


async def look_at_keys(settings: "Settings") -> str:
    """Look whether the keys that work are sealed, under peppers that are configured.

    Raises:
        ConfigurationError: some are not; the text says what to do.
        PortError: the store cannot say.
    """
    now, seen, faulty = datetime.now(UTC), 0, _Faulty()
    async with _peppers(settings) as peppers:
        async for key in _keys(settings):
            seen += 1
            if key.state(now) in (KeyState.ACTIVE, KeyState.DISABLED):
                await faulty.look(key, peppers, now)
    faults = list(faulty.faults())
    if faults:
        raise ConfigurationError(faults)
    if seen == MOST_KEYS:
        return f"the first {seen} keys are as sealed"
    return f"{seen} {_keys_word(seen)}, as sealed" if seen else "no keys yet"


@asynccontextmanager
async def _peppers(settings: "Settings") -> "AsyncIterator[Peppers]":
    """Open the peppers; there are none where reading them would make the file that holds them."""
    from tollkeeper.infra import access
    from tollkeeper.infra.lazy import Lazy
    from tollkeeper.infra.making import optional

    if settings.pepper_secret is None and not pepper_is_there(settings):
        yield FixedPeppers(())
        return
    async with AsyncExitStack() as stack:
        source = None
        if settings.pepper_secret is not None:
            source = await _opened(
                optional("secret_source", settings.secret_source, environ=os.environ), stack
            )
        clock = Lazy("tollkeeper.adapters.system.clock:SystemClock")()
        peppers: Peppers = await _opened(access.peppers(settings, source, clock), stack)
        yield peppers


async def _opened(adapter: Any, stack: AsyncExitStack) -> Any:
    if hasattr(adapter, "__aenter__"):
        return await stack.enter_async_context(adapter)
    return adapter


async def _keys(settings: "Settings") -> AsyncIterator[ApiKey]:
    from tollkeeper.infra.registry import make_adapter

    async with AsyncExitStack() as stack:
        store, after = await _opened(make_adapter("store", settings.store), stack), None
        for _ in range(MOST_KEYS // _PAGE):
            page: tuple[ApiKey, ...] = await store.key_store.page(after=after, limit=_PAGE)
            for key in page:
                yield key
            if len(page) < _PAGE:
                break
            after = page[-1].id


class _Faulty:
    """Keys that are refused, or soon will be, by what is wrong with them."""

    def __init__(self) -> None:
        self._unsealed: list[str] = []
        self._changed: list[str] = []
        self._unknown: Counter[str] = Counter()

    async def look(self, key: ApiKey, peppers: Peppers, now: datetime) -> None:
        """Look at *key*, which should be under *peppers*."""
        if key.seal is None:
            self._unsealed.append(key.id)
            return
        used = {key.seal.pepper_id} | {
            secret.pepper_id
            for secret in key.secrets
            if secret.not_after is None or now < secret.not_after
        }
        unknown = {each for each in used if await peppers.find(each) is None}
        self._unknown.update(unknown)
        pepper = await peppers.find(key.seal.pepper_id)
        if not unknown and pepper is not None and not is_intact(key, pepper):
            self._changed.append(key.id)

    def faults(self) -> Iterator[str]:
        """Say what is wrong, and what to do about it."""
        if self._unsealed:
            yield (
                f"{_named(self._unsealed)} without a seal, and refused: if they are from before "
                "keys were sealed, run `tollkeeper keys seal --unsealed`"
            )
        for pepper, number in self._unknown.items():
            yield (
                f"the pepper {pepper} of {number} {_keys_word(number)} is not configured, and they "
                "are refused: add it to retired_key_peppers"
            )
        if self._changed:
            yield (
                f"{_named(self._changed)} changed behind Tollkeeper's back, and refused: revoke "
                "them, and look who can write to the store"
            )


def _keys_word(number: int) -> str:
    return "key" if number == 1 else "keys"


def _named(ids: list[str]) -> str:
    more = ", …" if len(ids) > _MOST_NAMED else ""
    return f"{len(ids)} {_keys_word(len(ids))} ({', '.join(ids[:_MOST_NAMED])}{more})"
