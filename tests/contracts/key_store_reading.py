"""What a key store gives back."""

from datetime import datetime, timedelta

import pytest
from attrs import evolve

from tollkeeper.contracts.contract import Contract
from tollkeeper.contracts.key_store_calls import add, replace
from tollkeeper.contracts.samples import (
    ODD_TEXT,
    a_full_api_key,
    a_key_secret,
    an_api_key,
    new_id,
)
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.errors import NotFound
from tollkeeper.domain.key_seals import is_intact, sealed
from tollkeeper.domain.key_tokens import Pepper
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.key_store import KeyStore


class KeyStoreReading(Contract):
    """Getting, finding and listing keys."""

    async def test_key_comes_back_as_given(
        self, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        key = ApiKey(
            id=new_id("key"),
            account=account,
            name=ODD_TEXT,
            scopes=frozenset({"chat:complete", "audio:transcribe", "mail:send"}),
            prefix="tk_test",
            secrets=(
                evolve(a_key_secret(at=now + timedelta(days=1)), verifier=bytes(range(32))),
                a_key_secret(at=now, lives=timedelta(microseconds=1)),
            ),
            created_at=now + timedelta(microseconds=123_456),
            expires_at=now + timedelta(days=365, microseconds=1),
        )
        await add(key_store, key)
        assert await key_store.get(account=account, key_id=key.id) == key
        for secret in key.secrets:
            assert await key_store.find(secret.kid) == key
        assert await key_store.list(account=account) == (key,)

    async def test_unknown_key_is_not_there(self, key_store: KeyStore, account: str) -> None:
        assert await key_store.find(new_id("kid")) is None
        assert await key_store.list(account=account) == ()
        with pytest.raises(NotFound):
            await key_store.get(account=account, key_id=new_id("key"))

    async def test_key_of_another_account_is_not_there(
        self, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        key = an_api_key(account, at=now)
        await add(key_store, key)
        other = f"{account}-other"
        with pytest.raises(NotFound):
            await key_store.get(account=other, key_id=key.id)
        assert await key_store.list(account=other) == ()
        with pytest.raises(NotFound):
            await key_store.list(account=other, after=key.id)

    async def test_keys_come_in_pages(
        self, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        keys = [an_api_key(account, at=now + timedelta(microseconds=n // 3)) for n in range(5)]
        for key in reversed(keys):
            await add(key_store, key)
        keys.sort(key=lambda key: (key.created_at, key.id))
        seen: list[ApiKey] = []
        sizes = []
        after: str | None = None
        while page := await key_store.list(account=account, limit=2, after=after):
            seen += page
            sizes.append(len(page))
            after = page[-1].id
        assert seen == keys
        assert sizes == [2, 2, 1]
        with pytest.raises(NotFound):
            await key_store.list(account=account, after=new_id("key"))

    async def test_last_use_never_goes_back(
        self, key_store: KeyStore, audit_log: AuditLog, account: str, now: datetime
    ) -> None:
        key, unused = an_api_key(account, at=now), an_api_key(account, at=now)
        audits = (await add(key_store, key), await add(key_store, unused))
        for minutes, last in [(5, 5), (3, 5), (5, 5), (6, 6)]:
            uses = {key.id: now + timedelta(minutes=minutes), new_id("key"): now}
            await key_store.mark_used(uses)
            used = evolve(key, last_used_at=now + timedelta(minutes=last))
            assert await key_store.get(account=account, key_id=key.id) == used
            assert await key_store.find(key.secrets[0].kid) == used
        await key_store.mark_used({})
        assert await key_store.get(account=account, key_id=unused.id) == unused
        assert await audit_log.entries(account=account) == audits

    async def test_only_use_moves_the_last_use(
        self, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        key = an_api_key(account, at=now)
        await add(key_store, key)
        used_at = now + timedelta(minutes=5)
        await key_store.mark_used({key.id: used_at})
        for stale in (None, now, now + timedelta(days=1)):
            key = evolve(key, version=key.version + 1, last_used_at=stale)
            await replace(key_store, key)
            kept = await key_store.get(account=account, key_id=key.id)
            assert kept == evolve(key, last_used_at=used_at)

    async def test_each_field_comes_back_as_given(
        self, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        full = a_full_api_key(account, at=now)
        plain = an_api_key(account, at=now)
        lone = evolve(
            an_api_key(account, at=now), limits=full.limits[:1], networks=full.networks[-1:]
        )
        for key in (full, plain, lone):
            await add(key_store, key)
            assert await key_store.get(account=account, key_id=key.id) == key
            assert await key_store.find(key.secrets[0].kid) == key
            assert key in await key_store.list(account=account)
            assert await key_store.page(after=key.id[:-1], limit=1) == (key,)

    async def test_seal_holds_for_what_comes_back(
        self, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        pepper = Pepper(bytes(range(32)))
        key = sealed(a_full_api_key(account, at=now), pepper)
        await add(key_store, key)
        for found in (
            await key_store.get(account=account, key_id=key.id),
            await key_store.find(key.secrets[1].kid),
        ):
            assert found is not None
            assert is_intact(found, pepper)

    async def test_keys_of_all_accounts_come_in_pages_by_id(
        self, key_store: KeyStore, account: str, now: datetime
    ) -> None:
        first = f"key_{account}"  # ids that nobody else has any between
        keys = [
            evolve(an_api_key(f"{account}-{n % 2}", at=now - timedelta(days=n)), id=first + end)
            for n, end in enumerate(("-1", "-3", "-a", "-2", "-Z", "_", ""))
        ]
        for key in keys:
            await add(key_store, key)
        keys.sort(key=lambda key: key.id)
        seen: list[ApiKey] = []
        after = first[:-1]  # no key is called that
        while len(seen) < len(keys):
            page = await key_store.page(after=after, limit=2)
            assert len(page) == 2 or len(seen) + len(page) >= len(keys)
            seen += page
            after = page[-1].id
        assert seen[: len(keys)] == keys
        assert await key_store.page(limit=0) == ()
        assert len(await key_store.page(limit=1)) == 1
