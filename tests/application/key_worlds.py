"""Stores of every kind with API keys in them, and stores that can be watched and held up."""

import asyncio
from collections.abc import Callable
from typing import Any

from attrs import define, field

from tollkeeper.domain.api_keys import ApiKey


@define
class WatchedKeyStore:
    """A key store that counts its reads, and can be made to wait or to fail before or after one."""

    inner: Any
    finds: int = 0
    before: Callable[[], Any] | None = None
    after: "asyncio.Event | None" = None
    """Held up by it, once the answer is there."""
    answered: asyncio.Event = field(factory=asyncio.Event)
    """Set when an answer is there that is held up."""
    error: BaseException | None = None

    async def find(self, kid: str) -> ApiKey | None:
        self.finds += 1
        if self.error is not None:
            raise self.error
        found = await self.inner.find(kid)
        if self.after is not None:
            self.answered.set()
            await self.after.wait()
        return found  # type: ignore[no-any-return]  # the inner one is any key store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Exploding:
    """Stands before an adapter, counts the calls to it, and lets one of them fail."""

    def __init__(self, inner: Any, fuse: "Fuse", name: str) -> None:
        self._inner = inner
        self._fuse = fuse
        self._name = name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name.startswith("_") or not callable(found):
            return found

        if asyncio.iscoroutinefunction(found):

            async def later(*args: Any, **kwargs: Any) -> Any:
                self._fuse.burn(f"{self._name}.{name}")
                return await found(*args, **kwargs)

            return later

        def now(*args: Any, **kwargs: Any) -> Any:
            self._fuse.burn(f"{self._name}.{name}")
            return found(*args, **kwargs)

        return now


@define
class Fuse:
    """Raises *error* at call number *at* (from 1) of all that go through it; 0 for never."""

    at: int = 0
    error: BaseException = field(factory=lambda: RuntimeError("blown"))
    calls: list[str] = field(factory=list)

    def burn(self, name: str) -> None:
        """Note a call, and fail if it is its turn."""
        self.calls.append(name)
        if len(self.calls) == self.at:
            raise self.error
