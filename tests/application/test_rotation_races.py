"""A caller does not notice that data keys are rotated between its steps."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from tests.application.credential_worlds import open_credentials
from tests.application.raw_stores import RawMemory
from tollkeeper import Secret

pytestmark = pytest.mark.anyio


@define
class Interrupted:
    """A credential store between whose answer and its reader something else happens, once."""

    inner: Any
    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def get(self, **which: Any) -> Any:
        found = await self.inner.get(**which)
        if self.meanwhile is not None:
            happen, self.meanwhile = self.meanwhile, None
            await happen()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


async def test_a_rotation_between_two_steps_of_a_caller_is_not_noticed(tmp_path: Path) -> None:
    """The row was read, and then was encrypted anew and its data key destroyed (T22)."""
    raw = RawMemory()
    store = Interrupted(raw.store.credential_store)
    async with open_credentials(tmp_path, raw) as other:
        stored = await other.store("sk-before")
        async with open_credentials(
            tmp_path, raw, account=other.account, credential_store=store
        ) as world:
            assert world.tk.rotate_encryption.data_keys is not None

            times: list[int] = []

            def rotated() -> Any:
                return other.tk.rotate_encryption(new_data_keys=True)

            async def interrupted(call: Callable[[], Awaitable[Any]]) -> Any:
                world.tk.rotate_encryption.data_keys.forget(world.account)  # type: ignore[union-attr]  # it is there, as said above
                store.meanwhile = rotated
                answer = await call()
                times.append(len(await world.data_keys()))
                return answer

            assert await interrupted(lambda: world.load(stored)) == "sk-before"
            await interrupted(lambda: world.own.replace(stored, secret=Secret("sk-after")))
            assert await world.load(stored) == "sk-after"
            await interrupted(lambda: world.own.remove(stored))
            assert await world.own.list() == ()
            assert times == [2, 3, 4]  # each rotation left a data key behind
