"""Take an API key away."""

from attrs import frozen

from tollkeeper.application.key_changes import KeyChanges
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.principals import Principal


@frozen
class DeleteKey:
    """End a key and forget it; what it did stays in the audit log and in the usage."""

    key_changes: KeyChanges

    async def __call__(
        self, *, account: str, key_id: str, issuer: Principal | None = None, actor: str = "host"
    ) -> ApiKey:
        """Delete the account's key and return it as it was; its token is unknown from then on.

        An *issuer* needs the scope ``keys:write``.

        Raises:
            NotFound: the account has no such key, or *issuer* is of another account.
            PermissionDenied: the issuer may not.
        """
        return await self.key_changes.remove(
            account=account, key_id=key_id, issuer=issuer, actor=actor
        )
