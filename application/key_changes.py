"""Changing a key that others may be changing too."""

from collections.abc import Callable, Mapping
from datetime import datetime

from attrs import frozen

from tollkeeper.application.audit_trail import MOVED, AuditTrail
from tollkeeper.application.key_authority import WRITE, checked_issuer
from tollkeeper.application.key_minting import KeyMint
from tollkeeper.application.key_news import KeyNews
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.checks import checked_text
from tollkeeper.domain.errors import Conflict
from tollkeeper.domain.principals import Principal
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.key_store import KeyStore

_TRIES = 10


def _nothing_more(former: ApiKey, changed: ApiKey) -> Mapping[str, str]:
    return {}


@frozen
class KeyChanges:
    """Reads a key, changes it and puts it back, again if someone else was faster."""

    key_store: KeyStore
    mint: KeyMint
    trail: AuditTrail
    clock: Clock
    news: KeyNews

    async def apply(
        self,
        *,
        account: str,
        key_id: str,
        actor: str,
        action: str,
        change: Callable[[ApiKey, datetime], ApiKey],
        details: Callable[[ApiKey, ApiKey], Mapping[str, str]] = _nothing_more,
        issuer: Principal | None = None,
        even_if_tampered: bool = False,
    ) -> ApiKey:
        """Apply *change* to the key, with its audit entry; no change, no entry.

        Every process hears of it. *even_if_tampered* is for changes after which the key can do
        nothing any more.

        Raises:
            NotFound: the account has no such key, or *issuer* is of another account.
            PermissionDenied: *issuer* may not manage keys.
            Conflict: others changed the key all the time, or its record was tampered with.
        """
        actor = checked_issuer(issuer, account=account, scope=WRITE, actor=actor)
        checked_text(key_id, field="key_id")
        for attempt in range(1, _TRIES + 1):
            now = self.clock.now()
            key = await self.key_store.get(account=account, key_id=key_id)
            if not even_if_tampered:
                self.mint.require_intact(key)
            changed = change(key, now)
            if changed is key:
                # Whoever changed it may have been cut off before it could tell.
                await self.news.changed(key)
                return key
            changed = self.mint.seal(changed)
            try:
                async with self.news.changing(key, changed):
                    await self.trail.record(
                        lambda audit, changed=changed: self.key_store.replace(changed, audit=audit),  # type: ignore[misc]  # mypy infers no type for a lambda with a default
                        account=account,
                        actor=actor,
                        action=action,
                        subject=key_id,
                        details=details(key, changed),
                    )
            except Conflict as error:
                if error.code == MOVED or attempt == _TRIES:
                    raise
            else:
                return changed
        raise AssertionError("the last try returns or raises")

    async def remove(
        self, *, account: str, key_id: str, actor: str, issuer: Principal | None = None
    ) -> ApiKey:
        """Take the key away, with its audit entry, and return it as it was.

        Raises:
            NotFound: the account has no such key, or *issuer* is of another account.
            PermissionDenied: *issuer* may not manage keys.
            Conflict: others changed the key all the time.
        """
        actor = checked_issuer(issuer, account=account, scope=WRITE, actor=actor)
        checked_text(key_id, field="key_id")
        for attempt in range(1, _TRIES + 1):
            key = await self.key_store.get(account=account, key_id=key_id)
            try:
                async with self.news.changing(key, None):
                    await self.trail.record(
                        lambda audit, key=key: self.key_store.remove(key, audit=audit),  # type: ignore[misc]  # mypy infers no type for a lambda with a default
                        account=account,
                        actor=actor,
                        action="key.deleted",
                        subject=key_id,
                        details={"display": key.display, "name": key.name},
                    )
            except Conflict as error:
                if error.code == MOVED or attempt == _TRIES:
                    raise
            else:
                return key
        raise AssertionError("the last try returns or raises")
