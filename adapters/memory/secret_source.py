"""Secrets in the memory of the process."""

from collections.abc import Mapping

from attrs import field, frozen

from tollkeeper.domain.errors import NotFound
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.secret_versions import SecretVersions


@frozen
class MemorySecretSource:
    """Keeps *secrets*, by name, in a dict that tests may change; an empty one counts as none.

    *previous* are those that some of them had before.
    """

    secrets: dict[str, Secret] = field(factory=dict)
    previous: dict[str, Secret] = field(factory=dict)

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> "MemorySecretSource":
        """Make one that knows *texts*, by name."""
        return cls({name: Secret(text) for name, text in texts.items()})

    async def secret(self, name: str) -> Secret:
        """Return a secret."""
        secret = self.secrets.get(name)
        if not secret:
            raise NotFound(f"no secret is called {name!a}", code="secret_not_found")
        return secret

    async def versions(self, name: str) -> SecretVersions:
        """Return a secret, and what it was before."""
        return SecretVersions(await self.secret(name), self.previous.get(name))
