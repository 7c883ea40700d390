"""End an API key."""

from attrs import frozen

from tollkeeper.application.key_changes import KeyChanges
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.principals import Principal


@frozen
class RevokeKey:
    """End a key for good.

    This process refuses it from the moment this returns; the others as soon as they hear of it,
    within milliseconds where they share a broadcast, and at once where nothing is kept.
    """

    key_changes: KeyChanges

    async def __call__(
        self, *, account: str, key_id: str, issuer: Principal | None = None, actor: str = "host"
    ) -> ApiKey:
        """Revoke the account's key; one that is revoked already is returned as it is.

        An *issuer* needs the scope ``keys:write``.

        Raises:
            NotFound: the account has no such key, or *issuer* is of another account.
            PermissionDenied: the issuer may not.
        """
        return await self.key_changes.apply(
            account=account,
            key_id=key_id,
            issuer=issuer,
            actor=actor,
            action="key.revoked",
            change=lambda key, now: key.revoke(at=now),
            even_if_tampered=True,
        )

    async def leaked(self, key: ApiKey, *, source: str, url: str) -> ApiKey:
        """Revoke *key*, whose token was found at *source*; who reports it twice changes nothing.

        Raises:
            NotFound: the key was deleted meanwhile.
        """
        return await self.key_changes.apply(
            account=key.account,
            key_id=key.id,
            actor="leak report",
            action="key.leaked",
            change=lambda key, now: key.revoke(at=now),
            details=lambda former, changed: {"source": source, "url": url},
            even_if_tampered=True,
        )
