"""Sources of secrets with one fault each, for their suite to find."""

import asyncio
import posixpath

from tollkeeper.adapters.memory.secret_source import MemorySecretSource
from tollkeeper.domain.errors import NotFound
from tollkeeper.domain.secret import Secret


class KeepsForEver(MemorySecretSource):
    """Remembers what it saw once."""

    seen: dict[str, Secret] = {}  # noqa: RUF012 - names are used once

    async def secret(self, name: str) -> Secret:
        if name not in self.seen:
            self.seen[name] = await super().secret(name)
        return self.seen[name]


class NothingForUnknown(MemorySecretSource):
    """Hands out nothing instead of saying that there is none."""

    async def secret(self, name: str) -> Secret:
        return self.secrets.get(name, Secret(""))


class AnyErrorWillDo(MemorySecretSource):
    """Lets its dict speak."""

    async def secret(self, name: str) -> Secret:
        return self.secrets[name]


class NoCode(MemorySecretSource):
    """Forgets to say what was not found."""

    async def secret(self, name: str) -> Secret:
        try:
            return await super().secret(name)
        except NotFound:
            raise NotFound("something is missing") from None


class EmptyIsASecret(MemorySecretSource):
    """Hands out what is set to nothing."""

    async def secret(self, name: str) -> Secret:
        return self.secrets[name] if name in self.secrets else await super().secret(name)


class StripsTexts(MemorySecretSource):
    """Tidies secrets up."""

    async def secret(self, name: str) -> Secret:
        return Secret((await super().secret(name)).reveal().strip())


class ShortNames(MemorySecretSource):
    """Looks at the first 30 characters of a name."""

    async def secret(self, name: str) -> Secret:
        for known, secret in self.secrets.items():
            if known[:30] == name[:30]:
                return secret
        return await super().secret(name)


class TidiesNames(MemorySecretSource):
    """Reads a name as a path, in any case."""

    async def secret(self, name: str) -> Secret:
        path = posixpath.normpath(name.strip().upper()).strip("/")
        return await super().secret(path)


class EmptyNameIsTheFirst(MemorySecretSource):
    """Takes no name for any name."""

    async def secret(self, name: str) -> Secret:
        return await super().secret(name) if name.strip("./") else Secret("any")


class ShowsNames(MemorySecretSource):
    """Puts a name that cannot be written into its message."""

    async def secret(self, name: str) -> Secret:
        if name not in self.secrets:
            raise NotFound(f"there is no {name}", code="secret_not_found")
        return await super().secret(name)


class ShowsItself(MemorySecretSource):
    """Shows what it keeps."""

    def __repr__(self) -> str:
        return repr({name: secret.reveal() for name, secret in self.secrets.items()})


class OneAtATime(MemorySecretSource):
    """Notes what is asked for, and looks a moment later."""

    asked = ""

    async def secret(self, name: str) -> Secret:
        object.__setattr__(self, "asked", name)
        await asyncio.sleep(0)
        return await super().secret(self.asked)


class LockedForEver(MemorySecretSource):
    """Fails everyone once a caller gave up."""

    broken: list[str] = []  # noqa: RUF012 - names are used once

    async def secret(self, name: str) -> Secret:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.broken.append(name)
            raise
        if name in self.broken:
            raise RuntimeError("locked")
        return await super().secret(name)
