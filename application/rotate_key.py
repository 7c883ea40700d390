"""Give an API key a new secret."""

from datetime import datetime, timedelta

from attrs import frozen

from tollkeeper.application.key_authority import check_within
from tollkeeper.application.key_changes import KeyChanges
from tollkeeper.application.key_minting import KeyMint
from tollkeeper.domain.api_keys import ApiKey, IssuedKey
from tollkeeper.domain.principals import Principal
from tollkeeper.ports.clock import Clock


@frozen
class RotateKey:
    """Add a secret to a key and let the old one end after an overlap."""

    key_changes: KeyChanges
    mint: KeyMint
    clock: Clock

    async def __call__(
        self,
        *,
        account: str,
        key_id: str,
        overlap: timedelta = timedelta(hours=24),
        compromised: bool = False,
        issuer: Principal | None = None,
        actor: str = "host",
    ) -> IssuedKey:
        """Return the new token; the former one works for *overlap* (0 to 7 days) more at most.

        The key keeps its id, scopes, limits and quota, which both secrets share. If the key is
        *compromised*, the former secret ends now. An *issuer* needs the scope ``keys:write``, and
        every scope that the key has: it gets a token of it.

        Raises:
            NotFound: the account has no such key, or *issuer* is of another account.
            PermissionDenied: the issuer may not.
            Conflict: the key is disabled, revoked or expired, or its record was tampered with.
            InvalidRequest: *overlap* is out of range.
        """
        token, secret = self.mint.make_secret(self.clock.now())

        def change(key: ApiKey, now: datetime) -> ApiKey:
            check_within(issuer, key)
            lasts = timedelta(0) if compromised else overlap
            return key.rotate(secret, at=now, overlap=lasts)

        key = await self.key_changes.apply(
            account=account,
            key_id=key_id,
            issuer=issuer,
            actor=actor,
            action="key.rotated",
            change=change,
            details=lambda former, changed: {
                "display": changed.display,
                "former_until": changed.secrets[-1].not_after.isoformat()
                if changed.secrets[-1].not_after
                else "",
                "reason": "compromised" if compromised else "",
            },
        )
        return IssuedKey(token=token, key=key)
