"""A caller's management of its own keys and credentials, for hosts without an event loop."""

from tollkeeper.application.own_keys import KeysOf, OwnKeys
from tollkeeper.application.tenant_credentials import AccountCredentials, TenantCredentials
from tollkeeper.domain.principals import Principal
from tollkeeper.infra.blocking import Blocking, Loop


class SyncOwnKeys:
    """:class:`OwnKeys`, blocking."""

    def __init__(self, loop: Loop, keys: OwnKeys) -> None:
        self.principal = keys.principal
        self.issue = Blocking(loop, keys.issue)
        self.get = Blocking(loop, keys.get)
        self.quota_use = Blocking(loop, keys.quota_use)
        self.list = Blocking(loop, keys.list)
        self.update = Blocking(loop, keys.update)
        self.disable = Blocking(loop, keys.disable)
        self.enable = Blocking(loop, keys.enable)
        self.revoke = Blocking(loop, keys.revoke)
        self.delete = Blocking(loop, keys.delete)
        self.rotate = Blocking(loop, keys.rotate)


class SyncKeysOf:
    """:class:`KeysOf`, blocking."""

    def __init__(self, loop: Loop, keys: KeysOf) -> None:
        self._loop = loop
        self._keys = keys

    def of(self, principal: Principal) -> SyncOwnKeys:
        """Return the keys of *principal*'s account, as far as its scopes go."""
        return SyncOwnKeys(self._loop, self._keys.of(principal))


class SyncAccountCredentials:
    """:class:`AccountCredentials`, blocking."""

    def __init__(self, loop: Loop, credentials: AccountCredentials) -> None:
        self.account = credentials.account
        self.store = Blocking(loop, credentials.store)
        self.replace = Blocking(loop, credentials.replace)
        self.list = Blocking(loop, credentials.list)
        self.load = Blocking(loop, credentials.load)
        self.remove = Blocking(loop, credentials.remove)


class SyncTenantCredentials:
    """:class:`TenantCredentials`, blocking."""

    def __init__(self, loop: Loop, credentials: TenantCredentials) -> None:
        self._loop = loop
        self._credentials = credentials

    def of(self, principal: Principal) -> SyncAccountCredentials:
        """Return the credentials of *principal*'s account, as far as its scopes go."""
        return SyncAccountCredentials(self._loop, self._credentials.of(principal))

    def of_account(self, account: str, *, actor: str = "host") -> SyncAccountCredentials:
        """Return the credentials of *account*, for the host itself."""
        return SyncAccountCredentials(
            self._loop, self._credentials.of_account(account, actor=actor)
        )
