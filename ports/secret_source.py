"""Where secrets are kept, when settings only name them."""

from typing import Protocol, runtime_checkable

from tollkeeper.domain.secret import Secret


@runtime_checkable
class SecretSource(Protocol):
    """Hands out secrets by name, as they are now; asked for each use, so it keeps its own cache."""

    async def secret(self, name: str) -> Secret:
        """Return the secret called *name*.

        Raises:
            NotFound: there is none (code ``secret_not_found``).
            PortError: the source cannot be reached, or refuses us.
        """
