"""Changing a key that others may be changing too."""

from collections.abc import Callable
from datetime import datetime

from attrs import frozen

from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.checks import checked_account, checked_text
from tollkeeper.domain.errors import Conflict
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.key_store import KeyStore

_TRIES = 10


@frozen
class KeyChanges:
    """Reads a key, changes it and puts it back, again if someone else was faster."""

    key_store: KeyStore
    clock: Clock
    identifiers: Identifiers

    async def apply(
        self,
        *,
        account: str,
        key_id: str,
        actor: str,
        action: str,
        change: Callable[[ApiKey, datetime], ApiKey],
    ) -> ApiKey:
        """Apply *change* to the key, with its audit entry; no change, no entry.

        Raises:
            NotFound: the account has no such key.
            Conflict: others changed the key all the time.
        """
        checked_account(account)
        checked_text(key_id, field="key_id")
        checked_text(actor, field="actor")
        for attempt in range(1, _TRIES + 1):
            now = self.clock.now()
            key = await self.key_store.get(account=account, key_id=key_id)
            changed = change(key, now)
            if changed is key:
                return key
            audit = AuditEntry(
                id=self.identifiers.new("audit"),
                at=now,
                account=account,
                actor=actor,
                action=action,
                subject=key_id,
            )
            try:
                await self.key_store.replace(changed, audit=audit)
            except Conflict:
                if attempt == _TRIES:
                    raise
            else:
                return changed
        raise AssertionError("the last try returns or raises")
