"""The keys of the store, as reports of leaks need them."""

from attrs import frozen

from tollkeeper.application.key_minting import KeyMint
from tollkeeper.application.revoke_key import RevokeKey
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.errors import Conflict, NotFound
from tollkeeper.domain.key_tokens import kid_of
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.key_store import KeyStore


@frozen
class LeakedKeysOfStore:
    """Reads each key from the store itself: a report is no place for what was seen before."""

    key_store: KeyStore
    mint: KeyMint
    revoke_key: RevokeKey

    async def prove(self, token: Secret) -> ApiKey | None:
        """Return the key whose secret *token* is, in whatever state, tampered with or not.

        Raises:
            Conflict: the pepper of the key is not at hand, so nobody can say (code
                ``pepper_unknown``).
            PortError: the store cannot say.
        """
        kid = kid_of(token.reveal(), self.mint.prefix)
        key = None if kid is None else await self.key_store.find(kid)
        secret = None if key is None or kid is None else key.secret(kid)
        if secret is None:
            return None
        if await self.mint.peppers.find(secret.pepper_id) is None:
            raise Conflict(
                f"a reported key was made under the pepper {secret.pepper_id}, which is not "
                "configured: add it to retired_key_peppers, and let the report be sent again",
                code="pepper_unknown",
            )
        return key if self.mint.proves(token.reveal(), secret) else None

    async def revoke_leaked(self, key: ApiKey, *, source: str, url: str) -> None:
        """End *key*; one that was deleted meanwhile has ended."""
        try:
            await self.revoke_key.leaked(key, source=source, url=url)
        except NotFound:
            return
