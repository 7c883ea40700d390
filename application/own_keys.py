"""A caller's management of its own keys: whose they are, it cannot say."""

from datetime import timedelta
from typing import Unpack

from attrs import frozen

from tollkeeper.application.delete_key import DeleteKey
from tollkeeper.application.get_key import GetKey
from tollkeeper.application.issue_key import IssueKey
from tollkeeper.application.list_keys import ListKeys
from tollkeeper.application.revoke_key import RevokeKey
from tollkeeper.application.rotate_key import RotateKey
from tollkeeper.application.switch_key import DisableKey, EnableKey
from tollkeeper.application.update_key import UpdateKey
from tollkeeper.domain.api_keys import ApiKey, IssuedKey
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.key_limits import QuotaUse
from tollkeeper.domain.key_profiles import KeyProfile
from tollkeeper.domain.principals import Principal


@frozen
class KeyUseCases:
    """All that can be done with keys."""

    issue: IssueKey
    get: GetKey
    list: ListKeys
    update: UpdateKey
    disable: DisableKey
    enable: EnableKey
    revoke: RevokeKey
    delete: DeleteKey
    rotate: RotateKey


@frozen
class OwnKeys:
    """The keys of one caller's account, as far as its scopes go: ``tk.keys.of(principal)``.

    Account and owner come from *principal* and nowhere else. What is another account's is not
    there (NotFound). To see keys it needs ``keys:read``, to make and change them ``keys:write``.
    A host should let only a user who signed in lately do the latter.
    """

    _use: KeyUseCases
    principal: Principal

    async def issue(
        self, *, expires_in: timedelta | None = None, **profile: Unpack[KeyProfile]
    ) -> IssuedKey:
        """Make a key; see :class:`IssueKey`."""
        return await self._use.issue(
            account=self.principal.account,
            issuer=self.principal,
            expires_in=expires_in,
            **profile,
        )

    async def get(self, key_id: str) -> ApiKey:
        """Show one key; see :class:`GetKey`."""
        return await self._use.get(
            account=self.principal.account, key_id=key_id, issuer=self.principal
        )

    async def quota_use(self, key_id: str) -> QuotaUse | None:
        """Show what a key used of its quota."""
        return await self._use.get.quota_use(
            account=self.principal.account, key_id=key_id, issuer=self.principal
        )

    async def list(self, *, limit: int = 100, after: str | None = None) -> tuple[ApiKey, ...]:
        """Show the keys, oldest first; see :class:`ListKeys`."""
        return await self._use.list(
            account=self.principal.account, limit=limit, after=after, issuer=self.principal
        )

    async def update(self, key_id: str, **profile: Unpack[KeyProfile]) -> ApiKey:
        """Change a key; see :class:`UpdateKey`."""
        return await self._use.update(
            account=self.principal.account, key_id=key_id, issuer=self.principal, **profile
        )

    async def disable(self, key_id: str) -> ApiKey:
        """Let a key rest; see :class:`DisableKey`."""
        return await self._use.disable(
            account=self.principal.account, key_id=key_id, issuer=self.principal
        )

    async def enable(self, key_id: str) -> ApiKey:
        """Let a key work again; see :class:`EnableKey`."""
        return await self._use.enable(
            account=self.principal.account, key_id=key_id, issuer=self.principal
        )

    async def revoke(self, key_id: str) -> ApiKey:
        """End a key for good; see :class:`RevokeKey`."""
        return await self._use.revoke(
            account=self.principal.account, key_id=key_id, issuer=self.principal
        )

    async def delete(self, key_id: str) -> ApiKey:
        """End a key and forget it; see :class:`DeleteKey`."""
        return await self._use.delete(
            account=self.principal.account, key_id=key_id, issuer=self.principal
        )

    async def rotate(
        self,
        key_id: str,
        *,
        overlap: timedelta = timedelta(hours=24),
        compromised: bool = False,
    ) -> IssuedKey:
        """Give a key a new token; see :class:`RotateKey`."""
        return await self._use.rotate(
            account=self.principal.account,
            key_id=key_id,
            overlap=overlap,
            compromised=compromised,
            issuer=self.principal,
        )


@frozen
class KeysOf:
    """Gives callers the management of their own keys."""

    use_cases: KeyUseCases

    def of(self, principal: Principal) -> OwnKeys:
        """Return the keys of *principal*'s account, as far as its scopes go.

        Raises:
            InvalidRequest: *principal* is no Principal.
        """
        if not isinstance(principal, Principal):
            raise InvalidRequest("principal must be a Principal, such as authenticate_key returns")
        return OwnKeys(self.use_cases, principal)
