"""What is no token costs no question to the store."""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from attrs import field, frozen

from tests.application.world import open_world
from tollkeeper.adapters.memory.key_store import MemoryKeyStore
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.errors import Unauthenticated
from tollkeeper.domain.key_tokens import encode_token

pytestmark = pytest.mark.anyio
CHAT = frozenset({"chat:complete"})


@frozen
class AskedKeyStore(MemoryKeyStore):
    """Notes what it is asked for."""

    asked: list[str] = field(factory=list)

    async def find(self, kid: str) -> ApiKey | None:
        self.asked.append(kid)
        return await super().find(kid)

    async def get(self, *, account: str, key_id: str) -> ApiKey:
        self.asked.append(key_id)
        return await super().get(account=account, key_id=key_id)

    async def mark_used(self, uses: Mapping[str, datetime]) -> None:
        self.asked.extend(uses)
        await super().mark_used(uses)


async def test_a_token_with_a_wrong_checksum_never_reaches_the_store(tmp_path: Path) -> None:
    """Every edit of each character, and much else: the store is asked for none of it (T1)."""
    store = MemoryStore()
    keys = AskedKeyStore(store.database)
    random = Random(3)
    async with open_world(tmp_path, key_store=keys, audit_log=store.audit_log) as world:
        issued = await world.tk.issue_key(account="acme", scopes=CHAT)
        token = issued.token.reveal()
        edited = {
            token[:at] + random.choice("0aZ_-\0é") + token[at + 1 :]
            for at in range(len(token))
            for _ in range(20)
        }
        longer = {token[:at] + "0" + token[at:] for at in range(len(token))}
        shorter = {token[:at] for at in range(len(token))}
        foreign = encode_token("other_live", issued.key.secrets[0].kid, os.urandom(32))
        keys.asked.clear()
        for bad in (edited | longer | shorter | {foreign, token * 2, "x" * (1 << 20)}) - {token}:
            with pytest.raises(Unauthenticated) as refused:
                await world.tk.authenticate_key(bad)
            assert refused.value.code == "unauthenticated"
        assert keys.asked == []
        # The spy does see what comes through.
        forged = encode_token(token[:-67], issued.key.secrets[0].kid, os.urandom(32))
        with pytest.raises(Unauthenticated):
            await world.tk.authenticate_key(forged)
        assert keys.asked == [issued.key.secrets[0].kid]
