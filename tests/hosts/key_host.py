"""A host that does with keys what it is told on standard input, and answers in lines of JSON.

Times are those of the machine's monotonic clock, which all its processes share.
"""

import asyncio
import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import define, field

from tests.application.world import settings_in
from tollkeeper import Tollkeeper, open_tollkeeper
from tollkeeper.domain.errors import Unauthenticated

ACCOUNT = "acme"
_STEP = 0.001
_LONGEST_WATCH = 15.0


@define
class KeyHost:
    """Does what the orders say; each of its methods is one."""

    tk: Tollkeeper
    _load: "list[asyncio.Task[None]]" = field(factory=list)

    async def issue(self) -> dict[str, Any]:
        """Make a key."""
        issued = await self.tk.issue_key(account=ACCOUNT, scopes={"chat:complete"})
        return {"token": issued.token.reveal(), "key_id": issued.key.id}

    async def change(self, how: str, key_id: str) -> dict[str, Any]:
        """End a key, and say when that returned."""
        names: dict[str, Any] = {"account": ACCOUNT, "key_id": key_id}
        if how == "rotate":
            await self.tk.rotate_key(**names, compromised=True)
        else:
            await getattr(self.tk, f"{how}_key")(**names)
        return {"at": time.monotonic()}

    async def use(self, token: str) -> dict[str, Any]:
        """Use a key once: how it went, and how often the store was read so far."""
        return {"said": await self._said(token), "reads": self.tk.authenticate_key.reads.reads}

    async def keeps(self) -> dict[str, Any]:
        """Say whether anything may be known at the moment."""
        return {"keeps": self.tk.authenticate_key.reads.known.keeps}

    async def watch(self, token: str) -> dict[str, Any]:
        """Use a key every millisecond until it is refused.

        *passed* is when the last use that passed began; *stall* how long this process did not
        get to run at worst meanwhile.
        """
        answer({"watching": await self._said(token)})
        began = passed = time.monotonic()
        stall = 0.0
        while (said := await self._said(token)) == "ok" and began - passed < _LONGEST_WATCH:
            passed = began
            await asyncio.sleep(_STEP)
            now = time.monotonic()
            stall, began = max(stall, now - began - _STEP), now
        return {"passed": passed, "said": said, "stall": stall}

    async def load(self, tokens: list[str]) -> dict[str, Any]:
        """Use other keys meanwhile; with no *tokens* no more."""
        for task in self._load:
            task.cancel()
        self._load = [asyncio.ensure_future(self._go_on(token)) for token in tokens]
        return {}

    async def _go_on(self, token: str) -> None:
        while True:
            await self.tk.authenticate_key(token)
            await asyncio.sleep(5 * _STEP)

    async def _said(self, token: str) -> str:
        try:
            await self.tk.authenticate_key(token)
        except Unauthenticated as refused:
            return refused.code
        return "ok"


def answer(value: dict[str, Any]) -> None:
    """Write a line."""
    print(json.dumps(value), flush=True)


async def main(folder: Path, store: str, broadcast: str, seconds: str) -> None:
    ttl = timedelta(seconds=float(seconds))
    settings = settings_in(folder, store=store, broadcast=broadcast, key_cache_ttl=ttl)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    async with open_tollkeeper(settings) as tk:
        host = KeyHost(tk)
        answer(await host.keeps())
        while line := await orders.readline():
            order = json.loads(line)
            answer(await getattr(host, order.pop("do"))(**order))
        await host.load([])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
