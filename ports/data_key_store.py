"""Where the data keys of accounts live, wrapped."""

from typing import Protocol, runtime_checkable

from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.encryption import DataKey


@runtime_checkable
class DataKeyStore(Protocol):
    """Keeps data keys, each wrapped by a key-encryption key. Each method is atomic.

    An account has at most one primary data key. A change and its audit entry are one step, as in
    :class:`~tollkeeper.ports.key_store.KeyStore`. Each method may raise PortError.
    """

    async def add(self, key: DataKey, *, audit: AuditEntry) -> None:
        """Keep a new data key; if it is primary, the account's former primary becomes readable.

        Raises:
            Conflict: its id is taken (code ``data_key_taken``).
        """

    async def primary_of(self, account: str) -> DataKey | None:
        """Return the data key that new values of the account are encrypted with, if it has one."""

    async def get(self, *, account: str, data_key_id: str) -> DataKey:
        """Return the account's data key, also if it is destroyed: then without its wrapped bytes.

        Raises:
            NotFound: there is none, or it is another account's (code ``data_key_not_found``).
        """

    async def of_account(self, account: str) -> tuple[DataKey, ...]:
        """Return all data keys of the account in order of ``(created_at, id)``."""

    async def replace(self, key: DataKey, *, audit: AuditEntry) -> None:
        """Put *key* in the place of its former version, which must be ``key.version - 1``.

        Raises:
            NotFound: no such key in this account.
            Conflict: another version is there, or *key* would be a second primary of the account
                (code ``data_key_changed``); its former version is destroyed (code
                ``data_key_destroyed``); or *key* is destroyed, and values are still encrypted
                with it (code ``data_key_in_use``).
        """

    async def destroy(self, *, account: str, data_key_id: str, audit: AuditEntry) -> None:
        """Erase the wrapped bytes for good; the record stays, destroyed. Twice is once.

        Raises:
            NotFound: no such key in this account.
            Conflict: values are still encrypted with it (code ``data_key_in_use``).
        """

    async def page(self, *, after: str | None = None, limit: int = 100) -> tuple[DataKey, ...]:
        """Return data keys of all accounts that are not destroyed, in order of their ids.

        At most *limit*, those after *after*, which need not be there.
        """
