"""Where API keys live."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol, runtime_checkable

from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry


@runtime_checkable
class KeyStore(Protocol):
    """Keeps API keys, never their tokens. Each method is atomic and may raise PortError.

    A change and its audit entry are one step: both happen or neither does. An audit entry with a
    *sequence* has to be the next of its account, else the change is refused with
    Conflict (code ``audit_moved``); one without is numbered by the store. An outage is a
    PortError, never "no such key".
    """

    async def add(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Keep a new key.

        Raises:
            Conflict: the key's id, or the kid of one of its secrets, is taken.
        """

    async def replace(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Put *key* in the place of its former version, which must be ``key.version - 1``.

        ``last_used_at`` is not replaced; :meth:`mark_used` alone moves it.

        Raises:
            NotFound: no such key in this account.
            Conflict: another version is there (someone changed it first), or a kid is taken.
        """

    async def remove(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Take *key*, which must still be there in this version, away with its secrets.

        Raises:
            NotFound: no such key in this account.
            Conflict: another version is there (code ``key_changed``).
        """

    async def get(self, *, account: str, key_id: str) -> ApiKey:
        """Return the account's key.

        Raises:
            NotFound: there is none, or it is another account's.
        """

    async def find(self, kid: str) -> ApiKey | None:
        """Return the key that has the secret named *kid*, or None; secrets gone are not found.

        It sees every change that any caller was told of before.
        """

    async def list(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[ApiKey, ...]:
        """Return the account's keys in order of ``(created_at, id)``, at most *limit*.

        *after* is the id of the last key of the page before.

        Raises:
            NotFound: *after* is no key of the account.
        """

    async def page(self, *, after: str | None = None, limit: int = 100) -> tuple[ApiKey, ...]:
        """Return keys of all accounts in order of their ids, at most *limit*, those after *after*.

        *after* need not be the id of a key that is there.
        """

    async def mark_used(self, uses: Mapping[str, datetime]) -> None:
        """Note when keys (by id) were last used; a time earlier than the one there is ignored.

        Ids that are not here are ignored.
        """
