"""The contract of :class:`tollkeeper.ports.key_store.KeyStore`."""

from tollkeeper.contracts.key_store_changes import KeyStoreChanges
from tollkeeper.contracts.key_store_concurrency import KeyStoreConcurrency
from tollkeeper.contracts.key_store_reading import KeyStoreReading


class KeyStoreContract(KeyStoreReading, KeyStoreChanges, KeyStoreConcurrency):
    """What every key store promises. Fixtures: ``key_store``, ``audit_log`` of the same store."""
