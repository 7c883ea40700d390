"""Show one API key."""

from attrs import frozen

from tollkeeper.application.key_authority import READ, checked_issuer
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.checks import checked_text
from tollkeeper.domain.key_limits import QuotaUse
from tollkeeper.domain.principals import Principal
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.key_store import KeyStore
from tollkeeper.ports.quota_counter import QuotaCounter


@frozen
class GetKey:
    """Show an account's key, never its token, and what it has used of its quota."""

    key_store: KeyStore
    quota_counter: QuotaCounter
    clock: Clock

    async def __call__(
        self, *, account: str, key_id: str, issuer: Principal | None = None
    ) -> ApiKey:
        """Return the key; an *issuer* needs the scope ``keys:read``.

        Raises:
            NotFound: the account has no such key, or *issuer* is of another account.
            PermissionDenied: *issuer* may not see keys.
        """
        checked_issuer(issuer, account=account, scope=READ)
        checked_text(key_id, field="key_id")
        return await self.key_store.get(account=account, key_id=key_id)

    async def quota_use(
        self, *, account: str, key_id: str, issuer: Principal | None = None
    ) -> QuotaUse | None:
        """Return what the key used of its quota in the present period; None if it has none.

        Raises: as above.
        """
        key = await self(account=account, key_id=key_id, issuer=issuer)
        if key.quota is None:
            return None
        return await self.quota_counter.used(key.id, key.quota, at=self.clock.now())
