"""Where the credentials live that accounts bring for providers, encrypted."""

from typing import Protocol, runtime_checkable

from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.credentials import StoredCredential


@runtime_checkable
class CredentialStore(Protocol):
    """Keeps accounts' provider credentials as they were encrypted. Each method is atomic.

    A change and its audit entry are one step, as in
    :class:`~tollkeeper.ports.key_store.KeyStore`. Each method may raise PortError.
    """

    async def add(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        """Keep a new credential.

        Raises:
            Conflict: its id is taken, or the account has one of that provider and label (code
                ``credential_exists``); or its data key is not there or destroyed (code
                ``data_key_destroyed``).
        """

    async def get(self, *, account: str, credential_id: str) -> StoredCredential:
        """Return the account's credential.

        Raises:
            NotFound: there is none, or it is another account's (code ``credential_not_found``).
        """

    async def list(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[StoredCredential, ...]:
        """Return the account's credentials in order of ``(created_at, id)``, at most *limit*.

        *after* is the id of the last one of the page before.

        Raises:
            NotFound: *after* is no credential of the account.
        """

    async def replace(self, credential: StoredCredential, *, audit: AuditEntry | None) -> None:
        """Put *credential* in the place of its former version, ``credential.version - 1``.

        Without *audit* where nothing changed but the data key it is encrypted with.

        Raises:
            NotFound: no such credential in this account.
            Conflict: another version is there (code ``credential_changed``), or its data key is
                not there or destroyed (code ``data_key_destroyed``).
        """

    async def remove(self, credential: StoredCredential, *, audit: AuditEntry) -> None:
        """Take *credential*, which must still be there in this version, away.

        Raises:
            NotFound: no such credential in this account.
            Conflict: another version is there (code ``credential_changed``).
        """

    async def encrypted_with(
        self, data_key_id: str, *, after: str | None = None, limit: int = 100
    ) -> tuple[StoredCredential, ...]:
        """Return the credentials under that data key, in order of their ids.

        At most *limit*, those after *after*, which need not be there.
        """

    async def forget(self, account: str, *, audit: AuditEntry) -> int:
        """Take all credentials of the account away, and destroy all of its data keys, in one step.

        Returns how many credentials there were.
        """
