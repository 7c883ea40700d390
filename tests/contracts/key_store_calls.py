"""Calls that the key store's suite makes."""

from datetime import timedelta

from tollkeeper.contracts.samples import a_key_secret, an_audit_entry
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.ports.key_store import KeyStore


async def add(key_store: KeyStore, key: ApiKey) -> AuditEntry:
    """Add *key* and return what was audited."""
    audit = an_audit_entry(key.account, at=key.created_at, action="key.issued")
    await key_store.add(key, audit=audit)
    return audit


async def replace(key_store: KeyStore, key: ApiKey) -> AuditEntry:
    """Replace *key* and return what was audited."""
    audit = an_audit_entry(key.account, at=key.created_at, action="key.changed")
    await key_store.replace(key, audit=audit)
    return audit


async def remove(key_store: KeyStore, key: ApiKey) -> AuditEntry:
    """Remove *key* and return what was audited."""
    audit = an_audit_entry(key.account, at=key.created_at, action="key.deleted")
    await key_store.remove(key, audit=audit)
    return audit


def rotated(key: ApiKey) -> ApiKey:
    """Give *key* a second secret, newest first."""
    new = a_key_secret(at=key.created_at)
    return key.rotate(new, at=key.created_at, overlap=timedelta(days=1))
