"""Secrets with their previous version: optional, for sources that keep it through a rotation."""

from typing import Protocol, runtime_checkable

from tollkeeper.domain.secret_versions import SecretVersions


@runtime_checkable
class VersionedSecretSource(Protocol):
    """Tells the current and the previous version of a secret, so that both work in an overlap."""

    async def versions(self, name: str) -> SecretVersions:
        """Return the versions of the secret called *name*, as they are at this moment.

        It is asked for seldom, and answered past any cache. The two belong together: while the
        secret is being rotated, they are those of before or those of after.

        Raises:
            NotFound: there is no current one (code ``secret_not_found``).
            PortError: the source cannot be reached, or refuses us.
        """
