"""Give an API key a new secret."""

from datetime import timedelta

from attrs import frozen

from tollkeeper.application.key_changes import KeyChanges
from tollkeeper.application.key_minting import KeyMint
from tollkeeper.domain.api_keys import IssuedKey
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
        actor: str = "host",
    ) -> IssuedKey:
        """Return the new token; the former one works for *overlap* (0 to 7 days) more at most.

        The key keeps its id, scopes and limits. For a leaked key pass an *overlap* of zero.

        Raises:
            NotFound: the account has no such key.
            Conflict: the key is revoked or expired.
            InvalidRequest: *overlap* is out of range.
        """
        token, secret = self.mint.make_secret(self.clock.now())
        key = await self.key_changes.apply(
            account=account,
            key_id=key_id,
            actor=actor,
            action="key.rotated",
            change=lambda key, now: key.rotate(secret, at=now, overlap=overlap),
        )
        return IssuedKey(token=token, key=key)
