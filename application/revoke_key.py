"""End an API key."""

from attrs import frozen

from tollkeeper.application.key_changes import KeyChanges
from tollkeeper.domain.api_keys import ApiKey


@frozen
class RevokeKey:
    """End a key for good; from the moment this returns, it is refused everywhere."""

    key_changes: KeyChanges

    async def __call__(self, *, account: str, key_id: str, actor: str = "host") -> ApiKey:
        """Revoke the account's key; one that is revoked already is returned as it is.

        Raises:
            NotFound: the account has no such key.
        """
        return await self.key_changes.apply(
            account=account,
            key_id=key_id,
            actor=actor,
            action="key.revoked",
            change=lambda key, now: key.revoke(at=now),
        )
