"""Checking keys and the audit log, and callers' own keys, for hosts without an event loop."""

from collections.abc import Callable, Iterator

from tollkeeper.application.account_credentials import AccountCredentials, CredentialsOf
from tollkeeper.application.authenticate_key import AuthenticateKey
from tollkeeper.application.own_keys import KeysOf, OwnKeys
from tollkeeper.application.verify_audit import AuditCheck, VerifyAudit
from tollkeeper.domain.audit import AuditHead
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.blocking import Blocking, Loop


class SyncAuthenticateKey:
    """:class:`AuthenticateKey`, blocking."""

    def __init__(self, loop: Loop, authenticate_key: AuthenticateKey) -> None:
        self._authenticate_key = Blocking(loop, authenticate_key.__call__)
        self.refusals = authenticate_key.refusals

    def __call__(self, token: str | Secret, *, client_address: str | None = None) -> Principal:
        """Return who holds *token*."""
        # A traceback may show the locals of these frames, so that none may hold the plain text.
        if isinstance(token, str):
            token = Secret(token)
        return self._authenticate_key(token, client_address=client_address)


class SyncVerifyAudit:
    """:class:`VerifyAudit`, blocking."""

    def __init__(self, loop: Loop, verify_audit: VerifyAudit) -> None:
        self._loop = loop
        self._verify_audit = verify_audit

    def __call__(
        self,
        *,
        account: str,
        known: AuditHead | None = None,
        unchained: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> AuditCheck:
        """Check the log of *account*."""
        check = Blocking(self._loop, self._verify_audit.__call__)
        return check(account=account, known=known, unchained=unchained, progress=progress)

    def all(
        self, *, unchained: bool = False, progress: Callable[[int], None] | None = None
    ) -> Iterator[AuditCheck]:
        """Check the logs of all accounts, one after the other."""
        self._loop.check_open()
        checks = self._verify_audit.all(unchained=unchained, progress=progress)
        while True:
            try:
                yield self._loop.call(checks.__anext__)
            except StopAsyncIteration:
                return


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


class SyncCredentialsOf:
    """:class:`CredentialsOf`, blocking."""

    def __init__(self, loop: Loop, credentials: CredentialsOf) -> None:
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
