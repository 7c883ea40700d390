"""Accounts' own credentials for providers: kept encrypted, chosen by call, never shown."""

from attrs import evolve, field, frozen

from tollkeeper.application.account_cipher import AccountCipher
from tollkeeper.application.audit_trail import MOVED, AuditTrail
from tollkeeper.application.bind_credential import BindCredential, KeyedPort
from tollkeeper.application.credential_texts import (
    bound_elsewhere,
    checked_label,
    only_secret,
    place_of,
    secret_in,
    text_of,
)
from tollkeeper.domain.checks import checked_account, checked_limit, checked_text
from tollkeeper.domain.credentials import Credential, StoredCredential
from tollkeeper.domain.errors import (
    ConfigurationError,
    Conflict,
    InvalidRequest,
    NotFound,
)
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.sealed_values import SealedValue
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.credential_store import CredentialStore
from tollkeeper.ports.identifiers import Identifiers

READ = "credentials:read"
WRITE = "credentials:write"
USE = "credentials:use"
"""The scopes that a caller needs to see, to change and to use its account's credentials."""
_TRIES = 10


@frozen
class CredentialsOf:
    """Gives accounts the credentials that they keep here for providers: bring your own key.

    ::

        own = tk.credentials.of(principal)
        kept = await own.store(provider="openai", secret=Secret("sk-…"))
        credential = await own.load(kept.id)
        await tk.complete(principal, model="openai/gpt-4o", messages=…, credentials=[credential])
    """

    credential_store: CredentialStore
    cipher: AccountCipher | None
    bind: BindCredential
    trail: AuditTrail
    clock: Clock
    identifiers: Identifiers

    def of(self, principal: Principal) -> "AccountCredentials":
        """Return the credentials of *principal*'s account, as far as its scopes go.

        Raises:
            InvalidRequest: *principal* is no Principal.
        """
        if not isinstance(principal, Principal):
            raise InvalidRequest("principal must be a Principal, such as authenticate_key returns")
        return AccountCredentials(self, principal.account, principal.actor, principal)

    def of_account(self, account: str, *, actor: str = "host") -> "AccountCredentials":
        """Return the credentials of *account*, for the host itself.

        Raises:
            InvalidRequest: an argument is malformed.
        """
        checked_text(actor, field="actor")
        return AccountCredentials(self, checked_account(account), actor, None)

    def required_cipher(self) -> AccountCipher:
        """Return what encrypts.

        Raises:
            ConfigurationError: the settings name no key-encryption keys.
        """
        if self.cipher is None:
            raise ConfigurationError(
                "key_encryption: nothing is set to encrypt accounts' credentials with; make a "
                "keyring with `tollkeeper secrets keyring new FILE` and set key_encryption "
                "(TOLLKEEPER_KEY_ENCRYPTION) to keyring:///…, or name an AWS KMS key"
            )
        return self.cipher


@frozen
class AccountCredentials:
    """One account's credentials for providers.

    A caller needs the scopes ``credentials:read``, ``credentials:write`` and ``credentials:use``;
    what is another account's is not there (NotFound).

    Raises, all of it:
        PermissionDenied: the caller lacks the scope.
        ConfigurationError: the settings name no key-encryption keys.
        PortError: the store or the keeper of the keys is away.
    """

    _all: CredentialsOf = field(repr=False)
    account: str
    _actor: str = field(repr=False)
    _principal: Principal | None = field(repr=False)

    async def store(
        self,
        *,
        provider: str,
        secret: Secret,
        label: str = "default",
        port: KeyedPort | None = None,
    ) -> StoredCredential:
        """Keep *secret* for *provider*, bound to the base URL that it has now, under *label*.

        Raises:
            InvalidRequest: *secret* is empty or malformed, or *label* is.
            NotFound: no such provider is configured.
            Unsupported: the provider takes no credential.
            Conflict: there is one of that provider and label (code ``credential_exists``).
        """
        secret = only_secret(secret)
        self._require(WRITE)
        self._all.required_cipher()
        bound = await self._all.bind(
            provider=checked_text(provider, field="provider"),
            secret=secret,
            label=checked_label(label),
            port=port,
        )
        new = StoredCredential(
            id=self._all.identifiers.new("cred"),
            account=self.account,
            provider=provider,
            base_url=bound.base_url,
            label=label,
            sealed=b"",
            data_key_id="",
            created_at=self._all.clock.now(),
        )
        for attempt in range(1, _TRIES + 1):
            sealed = await self._sealed(new, bound)
            try:
                await self._all.trail.record(
                    lambda audit, sealed=sealed: self._all.credential_store.add(  # type: ignore[misc]  # mypy infers no type for a lambda with a default
                        sealed, audit=audit
                    ),
                    account=self.account,
                    actor=self._actor,
                    action="credential.stored",
                    subject=new.id,
                    details={"provider": provider, "label": label, "base_url": bound.base_url},
                )
            except Conflict as error:
                self._try_again(error, attempt, sealed.data_key_id)
            else:
                return sealed
        raise AssertionError("the last try returns or raises")

    async def replace(self, credential_id: str, *, secret: Secret) -> StoredCredential:
        """Put another *secret* in the place of the one that is kept, for the same base URL.

        Raises:
            NotFound: the account has no such credential.
            InvalidRequest: *secret* is empty or malformed.
            Conflict: somebody else changed it first (code ``credential_changed``).
        """
        secret = only_secret(secret)
        self._require(WRITE)
        self._all.required_cipher()
        for attempt in range(1, _TRIES + 1):
            kept = await self._get(credential_id)
            bound = Credential(kept.provider, kept.base_url, secret, kept.label)
            sealed = evolve(await self._sealed(kept, bound), version=kept.version + 1)
            try:
                await self._all.trail.record(
                    lambda audit, sealed=sealed: self._all.credential_store.replace(  # type: ignore[misc]  # mypy infers no type for a lambda with a default
                        sealed, audit=audit
                    ),
                    account=self.account,
                    actor=self._actor,
                    action="credential.replaced",
                    subject=kept.id,
                )
            except Conflict as error:
                self._try_again(error, attempt, sealed.data_key_id)
            else:
                return sealed
        raise AssertionError("the last try returns or raises")

    async def list(
        self, *, limit: int = 100, after: str | None = None
    ) -> tuple[StoredCredential, ...]:
        """Show at most *limit* credentials, oldest first, and nothing secret of them.

        Raises:
            InvalidRequest: *limit* is not 1-1000.
            NotFound: *after* is no credential of the account.
        """
        self._require(READ)
        return await self._all.credential_store.list(
            account=self.account, limit=checked_limit(limit), after=after
        )

    async def load(self, credential_id: str) -> Credential:
        """Return the credential to bring along for a call (``credentials=[…]``).

        Raises:
            NotFound: the account has no such credential.
            CorruptResponse: what is stored was changed or moved (code ``decryption_failed``).
            Conflict: its data key was destroyed (code ``data_key_destroyed``).
        """
        self._require(USE)
        cipher = self._all.required_cipher()
        kept, text = await self._read(credential_id, cipher)
        secret = secret_in(text, kept)
        if secret is None:
            raise bound_elsewhere()
        return Credential(kept.provider, kept.base_url, secret, kept.label)

    async def remove(self, credential_id: str) -> StoredCredential:
        """Forget a credential.

        Raises:
            NotFound: the account has no such credential.
            Conflict: somebody else changed it first (code ``credential_changed``).
        """
        self._require(WRITE)
        for attempt in range(1, _TRIES + 1):
            kept = await self._get(credential_id)
            try:
                await self._all.trail.record(
                    lambda audit, kept=kept: self._all.credential_store.remove(  # type: ignore[misc]  # mypy infers no type for a lambda with a default
                        kept, audit=audit
                    ),
                    account=self.account,
                    actor=self._actor,
                    action="credential.removed",
                    subject=kept.id,
                    details={"provider": kept.provider, "label": kept.label},
                )
            except Conflict as error:
                self._try_again(
                    error, attempt, kept.data_key_id
                )  # a rotation of data keys changes the row too
            else:
                return kept
        raise AssertionError("the last try returns or raises")

    def _require(self, scope: str) -> None:
        if self._principal is not None:
            self._principal.require(scope)

    def _try_again(self, error: Conflict, attempt: int, data_key_id: str) -> None:
        """Go on after a data key was rotated out meanwhile, or somebody was faster."""
        if error.code == MOVED or attempt == _TRIES:
            raise error
        if error.code == "data_key_destroyed":
            # Who comes second finds it closed, and shares the new one that the first one asks for.
            cipher = self._all.required_cipher()
            if attempt > 1 or cipher.data_keys.opened(self.account, data_key_id) is not None:
                cipher.forget(self.account)
        elif error.code != "credential_changed":
            raise error

    async def _get(self, credential_id: str) -> StoredCredential:
        if not isinstance(credential_id, str) or not credential_id:
            raise NotFound("no such credential", code="credential_not_found")
        return await self._all.credential_store.get(
            account=self.account, credential_id=checked_text(credential_id, field="credential_id")
        )

    async def _read(
        self, credential_id: str, cipher: AccountCipher
    ) -> tuple[StoredCredential, Secret]:
        """Return a credential and its text; read it anew if it was encrypted anew meanwhile."""
        kept = await self._get(credential_id)
        while True:
            try:
                place = place_of(self.account, kept.id)
                return kept, await cipher.decrypt_text(kept.sealed, place=place)
            except Conflict:  # its data key was destroyed, perhaps since it was read
                again = await self._get(credential_id)
                if again.version == kept.version:
                    raise
                kept = again

    async def _sealed(self, kept: StoredCredential, bound: Credential) -> StoredCredential:
        blob = await self._all.required_cipher().encrypt(
            text_of(bound), place=place_of(self.account, kept.id)
        )
        return evolve(kept, sealed=blob, data_key_id=SealedValue.parse(blob).data_key_id)
