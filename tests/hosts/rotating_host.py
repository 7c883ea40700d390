"""A host that rotates all that encrypts, and dies at the n-th question to its stores and keeper.

Each question counts twice: before it reaches the adapter, and after the answer. The process ends by
``os._exit``, so that nothing of it is tidied up: for a store that is what ``kill -9`` is.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, evolve

from tollkeeper import Settings, Tollkeeper, open_tollkeeper
from tollkeeper.application.data_keys import DataKeys
from tollkeeper.domain.secret import Secret

DIED = 9
PEPPER = Secret("0123456789abcdef" * 4)


@define
class Steps:
    """Counts, and ends the process at step *last*."""

    last: int
    die: Callable[[], None]
    taken: int = 0

    def take(self) -> None:
        self.taken += 1
        if self.taken == self.last:
            self.die()


class Mortal:
    """Stands before an adapter; each call to it is two steps."""

    def __init__(self, inner: Any, steps: Steps) -> None:
        self._inner, self._steps = inner, steps

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._steps.take()
            answer = await found(*args, **kwargs)
            self._steps.take()
            return answer

        return call


def settings_of(store: str, ring: str) -> Settings:
    """Make the settings of a host on *store* with the keyring *ring*."""
    return Settings(
        environment="test",
        store=store,
        key_pepper=PEPPER,
        key_encryption=f"keyring://{ring}",
        chat_models={"offline": "offline://"},
        embedders={},
        transcribers={},
    )


def _die() -> None:
    os._exit(DIED)


async def rotate(tk: Tollkeeper, last: int, die: Callable[[], None] = _die) -> int:
    """Rotate all data keys, die at step *last*, or return how many steps there were."""
    steps = Steps(last, die)
    rotation = tk.rotate_encryption
    keys = rotation.data_keys
    assert keys is not None
    data_keys = Mortal(rotation.data_key_store, steps)
    trail = evolve(rotation.trail, audit_log=Mortal(rotation.trail.audit_log, steps))
    mortal = evolve(
        rotation,
        data_key_store=data_keys,
        data_keys=DataKeys(  # in which nothing is open yet
            keys.cipher,
            Mortal(keys.key_encryption, steps),
            data_keys,
            trail,
            keys.clock,
            keys.identifiers,
            keys.environment,
        ),
        credential_store=Mortal(rotation.credential_store, steps),
        trail=trail,
    )
    await mortal(new_data_keys=True)
    return steps.taken


async def main(store: str, ring: str, last: int) -> None:
    async with open_tollkeeper(settings_of(store, ring)) as tk:
        print(await rotate(tk, last), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], str(Path(sys.argv[2])), int(sys.argv[3])))
