"""A secret source of peppers that tests rotate, and that fails when it is told to."""

import asyncio

from attrs import define, field

from tollkeeper.adapters.memory.secret_source import MemorySecretSource
from tollkeeper.domain.errors import TollkeeperError, Unavailable
from tollkeeper.domain.key_tokens import Pepper
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.secret_versions import SecretVersions

OLD, NEW, NEXT = (f"{number}0123456789abcdef0123456789abcdef" for number in range(3))


def pepper(text: str) -> Pepper:
    """Return what *text* is as a pepper."""
    return Pepper(text.encode())


def away() -> Unavailable:
    """Make an outage."""
    return Unavailable("the source is away", port="secret_source", adapter="test")


@define(eq=False)
class PepperSource:
    """Keeps one secret, called ``pepper``; counts what it is asked, and answers a moment later."""

    kept: MemorySecretSource = field(factory=MemorySecretSource)
    asked: int = 0
    fault: TollkeeperError | None = None
    slow: float = 0.0

    @classmethod
    def of(cls, text: str) -> "PepperSource":
        """Make one in which *text* is current, and nothing was before."""
        source = cls()
        source.rotate(text)
        return source

    async def versions(self, name: str) -> SecretVersions:
        """Return what is kept, or fail."""
        self.asked += 1
        for _ in range(3):
            await asyncio.sleep(self.slow)
        if self.fault is not None:
            raise self.fault
        return await self.kept.versions(name)

    def rotate(self, text: str) -> None:
        """Make *text* the current version, and what was current the previous one."""
        before = self.kept.secrets.get("pepper")
        self.kept.secrets["pepper"] = Secret(text)
        if before is not None:
            self.kept.previous["pepper"] = before

    def roll_back(self, text: str) -> None:
        """Make *text* the current version, and forget all others."""
        self.kept.previous.clear()
        self.kept.secrets["pepper"] = Secret(text)
