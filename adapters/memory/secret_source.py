"""Secrets in the memory of the process."""

from collections.abc import Mapping

from attrs import field, frozen

from tollkeeper.domain.errors import NotFound
from tollkeeper.domain.secret import Secret


@frozen
class MemorySecretSource:
    """Keeps *secrets*, by name, in a dict that tests may change; an empty one counts as none."""

    secrets: dict[str, Secret] = field(factory=dict)

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
