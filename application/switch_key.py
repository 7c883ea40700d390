"""Let an API key rest, and work again."""

from datetime import datetime

from attrs import frozen

from tollkeeper.application.key_authority import check_within
from tollkeeper.application.key_changes import KeyChanges
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.principals import Principal


@frozen
class DisableKey:
    """Let a key rest: it is refused everywhere until it is enabled."""

    key_changes: KeyChanges

    async def __call__(
        self, *, account: str, key_id: str, issuer: Principal | None = None, actor: str = "host"
    ) -> ApiKey:
        """Disable the account's key; one that is disabled already is returned as it is.

        An *issuer* needs the scope ``keys:write``.

        Raises:
            NotFound: the account has no such key, or *issuer* is of another account.
            PermissionDenied: the issuer may not.
            Conflict: the key is revoked or expired, or its record was tampered with.
        """
        return await self.key_changes.apply(
            account=account,
            key_id=key_id,
            issuer=issuer,
            actor=actor,
            action="key.disabled",
            change=lambda key, now: key.disable(at=now),
        )


@frozen
class EnableKey:
    """Let a key work again that was disabled."""

    key_changes: KeyChanges

    async def __call__(
        self, *, account: str, key_id: str, issuer: Principal | None = None, actor: str = "host"
    ) -> ApiKey:
        """Enable the account's key; one that works already is returned as it is.

        An *issuer* needs the scope ``keys:write``, and every scope that the key has.

        Raises:
            NotFound: the account has no such key, or *issuer* is of another account.
            PermissionDenied: the issuer may not.
            Conflict: the key is revoked or expired, or its record was tampered with.
        """

        def change(key: ApiKey, now: datetime) -> ApiKey:
            check_within(issuer, key)
            return key.enable(at=now)

        return await self.key_changes.apply(
            account=account,
            key_id=key_id,
            issuer=issuer,
            actor=actor,
            action="key.enabled",
            change=change,
        )
