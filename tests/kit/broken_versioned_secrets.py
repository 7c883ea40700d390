"""Sources of versioned secrets with one fault each, for their suite to find."""

import asyncio

from tollkeeper.adapters.memory.secret_source import MemorySecretSource
from tollkeeper.domain.errors import NotFound
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.secret_versions import SecretVersions


def pair(current: Secret, previous: Secret | None) -> SecretVersions:
    """Put two versions together, without a look at them."""
    made = SecretVersions(current)
    object.__setattr__(made, "previous", previous)
    return made


class PreviousIsCurrent(MemorySecretSource):
    """Has a previous version for everything."""

    async def versions(self, name: str) -> SecretVersions:
        current = await self.secret(name)
        return pair(current, self.previous.get(name, current))


class NoPrevious(MemorySecretSource):
    """Knows what is current alone."""

    async def versions(self, name: str) -> SecretVersions:
        return SecretVersions(await self.secret(name))


class Swapped(MemorySecretSource):
    """Takes the previous version for the current one."""

    async def versions(self, name: str) -> SecretVersions:
        found = await super().versions(name)
        return found if found.previous is None else SecretVersions(found.previous, found.current)


class FirstIsPrevious(MemorySecretSource):
    """Remembers the first version as the previous one."""

    first: dict[str, Secret | None] = {}  # noqa: RUF012 - names are used once

    async def versions(self, name: str) -> SecretVersions:
        found = await super().versions(name)
        if found.previous is not None:
            self.first.setdefault(name, found.previous)
        return SecretVersions(found.current, self.first.get(name))


class FirstOfAll(MemorySecretSource):
    """Keeps what it read when a name had but two versions."""

    async def versions(self, name: str) -> SecretVersions:
        found = await super().versions(name)
        return pair(found.current, Secret("first") if found.previous else None)


class KeepsForEver(MemorySecretSource):
    """Remembers what it saw once."""

    seen: dict[str, SecretVersions] = {}  # noqa: RUF012 - names are used once

    async def versions(self, name: str) -> SecretVersions:
        if name not in self.seen:
            self.seen[name] = await super().versions(name)
        return self.seen[name]


class TwoTruths(MemorySecretSource):
    """Hands out something else than it says is current."""

    async def secret(self, name: str) -> Secret:
        return self.previous.get(name) or await super().secret(name)

    async def versions(self, name: str) -> SecretVersions:
        return SecretVersions(await super().secret(name), self.previous.get(name))


class SameAgain(MemorySecretSource):
    """Counts a version that says the same as another one."""

    async def versions(self, name: str) -> SecretVersions:
        return pair(await self.secret(name), self.previous.get(name))


class OnePreviousForAll(MemorySecretSource):
    """Has one place for what was before."""

    async def versions(self, name: str) -> SecretVersions:
        found = await super().versions(name)
        return pair(found.current, list(self.previous.values())[-1] if self.previous else None)


class AnyErrorWillDo(MemorySecretSource):
    """Lets its dict speak."""

    async def versions(self, name: str) -> SecretVersions:
        return SecretVersions(self.secrets[name], self.previous.get(name))


class NoCode(MemorySecretSource):
    """Forgets to say what was not found."""

    async def versions(self, name: str) -> SecretVersions:
        try:
            return await super().versions(name)
        except NotFound:
            raise NotFound("something is missing") from None


class PreviousStays(MemorySecretSource):
    """Hands out the previous version of what was taken away."""

    kept: dict[str, Secret] = {}  # noqa: RUF012 - names are used once

    async def versions(self, name: str) -> SecretVersions:
        found = await super().versions(name)
        if found.previous is not None:
            self.kept[name] = found.previous
        return pair(found.current, self.kept.get(name))


class TwoLooks(MemorySecretSource):
    """Looks at the current version, and at the previous one a moment later."""

    async def versions(self, name: str) -> SecretVersions:
        current = await self.secret(name)
        for _ in range(3):
            await asyncio.sleep(0)
        return pair(current, self.previous.get(name))


class ShowsItself(MemorySecretSource):
    """Shows what it keeps."""

    def __repr__(self) -> str:
        return repr({name: secret.reveal() for name, secret in self.previous.items()})


class LockedForEver(MemorySecretSource):
    """Fails everyone once a caller gave up."""

    broken: list[str] = []  # noqa: RUF012 - names are used once

    async def versions(self, name: str) -> SecretVersions:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.broken.append(name)
            raise
        if name in self.broken:
            raise RuntimeError("locked")
        return await super().versions(name)
