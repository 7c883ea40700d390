"""Tenant ciphers over a keyring and a store in memory, with a keeper that counts and may fail."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import Factory, define

from tollkeeper.adapters.cryptography.cipher import CryptographyCipher
from tollkeeper.adapters.cryptography.key_encryption import CryptographyKeyEncryption
from tollkeeper.adapters.cryptography.keyring import Keyring
from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.data_key_store import MemoryDataKeyStore
from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers
from tollkeeper.application.account_cipher import AccountCipher
from tollkeeper.application.audit_trail import AuditTrail
from tollkeeper.application.data_keys import DataKeys
from tollkeeper.domain.audit import AuditKey
from tollkeeper.domain.encryption import DataKey, WrappedKey
from tollkeeper.domain.errors import Unavailable
from tollkeeper.domain.sealed_values import Place, SealedValue
from tollkeeper.ports.key_encryption import GeneratedKey

GCM, SIV = CryptographyCipher(1), CryptographyCipher(2)
AUDIT_KEY = AuditKey(bytes(range(32)))
PLACE = Place("acme", "credentials", "credential_1", "secret")


@define
class CountingKeeper:
    """Passes everything on to a keyring; counts, waits for a gate, and fails if it is told to."""

    ring: Keyring = Factory(lambda: Keyring.new(at=datetime(2001, 1, 1, tzinfo=UTC)))
    generated: int = 0
    unwrapped: int = 0
    down: bool = False
    gate: asyncio.Event | None = None

    async def _reach(self) -> CryptographyKeyEncryption:
        await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            raise Unavailable("down", port="key_encryption", adapter="counting")
        return CryptographyKeyEncryption(self.ring)

    async def current(self) -> str:
        return await (await self._reach()).current()

    async def generate(self, *, context: Mapping[str, str]) -> GeneratedKey:
        self.generated += 1
        return await (await self._reach()).generate(context=context)

    async def unwrap(self, wrapped: WrappedKey, *, context: Mapping[str, str]) -> bytes:
        self.unwrapped += 1
        return await (await self._reach()).unwrap(wrapped, context=context)

    async def rewrap(self, wrapped: WrappedKey, *, context: Mapping[str, str]) -> WrappedKey:
        return await (await self._reach()).rewrap(wrapped, context=context)


@define
class World:
    """What processes share, and a way to start one."""

    keeper: CountingKeeper = Factory(CountingKeeper)
    store: MemoryDataKeyStore = Factory(MemoryDataKeyStore)
    clock: MemoryClock = Factory(MemoryClock)
    identifiers: MemoryIdentifiers = Factory(MemoryIdentifiers)

    def cipher(self, **options: Any) -> AccountCipher:
        """Start a process: nothing is open in it."""
        given = {"cipher": GCM, "environment": "test", **options}
        return AccountCipher(
            DataKeys(
                key_encryption=self.keeper,
                store=self.store,
                trail=AuditTrail(
                    MemoryAuditLog(self.store.database), self.clock, self.identifiers, (AUDIT_KEY,)
                ),
                clock=self.clock,
                identifiers=self.identifiers,
                **given,
            )
        )

    async def data_keys(self, account: str = "acme") -> tuple[DataKey, ...]:
        return await self.store.of_account(account)

    def put(self, key: DataKey) -> None:
        """Write a data key into the store past all checks, as whoever has the database can."""
        self.store.database.data_keys[key.id] = key


def key_of(sealed: bytes) -> str:
    """Name the data key that *sealed* needs."""
    return SealedValue.parse(sealed).data_key_id
