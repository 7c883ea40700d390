"""Asking a model over HTTP: what all contenders of ``chat`` have in common."""

from collections.abc import Mapping

from benchmarks.contender import Arena
from benchmarks.rendered import INPUT_TOKENS, text

KEY = "not-a-real-key"
SYSTEM = "You are a patient assistant. Answer in one short paragraph."
PROMPT = "Why is the sky blue at noon, and red in the evening?"
MOST_AT_ONCE = 256

CHUNKS: Mapping[str, int] = {"whole": 22, "stream-22": 22, "stream-100": 100}
"""The modes, and how many words the answer has in each: the server writes what is allowed."""
_TEXTS = {count: text(count) for count in CHUNKS.values()}


def see(said: str, tokens: tuple[int, int], count: int) -> int:
    """Check one answer of *count* words; it counts as one operation."""
    assert said == _TEXTS[count], said
    assert tokens == (INPUT_TOKENS, count), tokens
    return 1


class Asker:
    """Asks at an address of its own, where the server counts its requests."""

    name: str
    path = "/v1/chat/completions"

    def __init__(self) -> None:
        self.calls = 0

    async def open(self, arena: Arena) -> None:
        self._server = arena.upstream
        self.host = f"{arena.upstream}/{self.name}"
        await self.connect()

    async def connect(self) -> None:
        """Import what is needed, and make a client."""
        raise NotImplementedError

    async def whole(self, count: int) -> int:
        """Ask for an answer of *count* words."""
        raise NotImplementedError

    async def stream(self, count: int) -> int:
        """Ask for an answer of *count* words, in as many chunks."""
        raise NotImplementedError

    async def call(self, mode: str) -> int:
        self.calls += 1
        return await (self.whole if mode == "whole" else self.stream)(CHUNKS[mode])

    async def check(self) -> None:
        """Assert that each call was one request: nothing was sent twice unseen."""
        import aiohttp

        async with aiohttp.ClientSession() as session, session.get(f"{self._server}/seen") as seen:
            requests = (await seen.json())[f"/{self.name}{self.path}"]
        assert requests == self.calls, (requests, self.calls)
