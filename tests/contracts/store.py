"""The contract of :class:`tollkeeper.ports.store.Store`."""

from datetime import datetime, timedelta

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.contracts.samples import (
    a_data_key,
    a_key_secret,
    a_stored_credential,
    a_usage_event,
    an_api_key,
    an_attempt,
    an_audit_entry,
    new_id,
    usd,
)
from tollkeeper.domain.errors import Conflict, NotFound
from tollkeeper.domain.key_limits import Quota
from tollkeeper.domain.plans import Plan, Subscription
from tollkeeper.ports.attempt_log import AttemptLog
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.credential_store import CredentialStore
from tollkeeper.ports.data_key_store import DataKeyStore
from tollkeeper.ports.key_store import KeyStore
from tollkeeper.ports.ledger import Ledger
from tollkeeper.ports.outbox import Outbox
from tollkeeper.ports.plan_store import PlanStore
from tollkeeper.ports.quota_counter import QuotaCounter
from tollkeeper.ports.store import Store
from tollkeeper.ports.usage_log import UsageLog


class StoreContract(Contract):
    """What every store promises, beyond the contracts of its parts. Fixture: ``store``."""

    async def test_each_part_is_there(self, store: Store) -> None:
        assert isinstance(store.key_store, KeyStore)
        assert isinstance(store.ledger, Ledger)
        assert isinstance(store.usage_log, UsageLog)
        assert isinstance(store.plan_store, PlanStore)
        assert isinstance(store.audit_log, AuditLog)
        assert isinstance(store.attempt_log, AttemptLog)
        assert isinstance(store.outbox, Outbox)
        assert isinstance(store.quota_counter, QuotaCounter)
        assert isinstance(store.data_key_store, DataKeyStore)
        assert isinstance(store.credential_store, CredentialStore)

    async def test_usage_log_sees_captures(self, store: Store, account: str, now: datetime) -> None:
        event = a_usage_event(account, at=now, charge=usd(1))
        hold_id = new_id("hold")
        await store.ledger.place_hold(
            hold_id=hold_id,
            account=account,
            amount=usd(0),
            purpose="contract",
            idempotency_key="contract",
            expires_at=now + timedelta(minutes=1),
            at=now,
        )
        await store.ledger.capture(
            hold_id=hold_id, amount=usd(1), usage=[event], entry_id=new_id("entry"), at=now
        )
        assert await store.usage_log.events(account=account) == (event,)
        (total,) = await store.usage_log.totals(account=account)
        balance = await store.ledger.balance(account=account, currency="USD")
        assert total.charge == -balance.posted == usd(1)

    async def test_attempt_log_sees_captures_and_releases(
        self, store: Store, account: str, now: datetime
    ) -> None:
        attempts = tuple(
            an_attempt(account, at=now + timedelta(seconds=n), number=n + 1) for n in range(3)
        )
        holds = [new_id("hold"), new_id("hold")]
        for hold_id in holds:
            await store.ledger.place_hold(
                hold_id=hold_id,
                account=account,
                amount=usd(0),
                purpose="contract",
                idempotency_key=hold_id,
                expires_at=now + timedelta(minutes=1),
                at=now,
            )
        await store.ledger.capture(
            hold_id=holds[0],
            amount=usd(0),
            usage=[],
            entry_id=new_id("entry"),
            at=now,
            attempts=attempts[:2],
        )
        await store.ledger.release(hold_id=holds[1], at=now, attempts=attempts[2:])
        assert await store.attempt_log.attempts(account=account) == attempts

    async def test_audit_log_sees_changes_of_keys_and_plans_in_their_order(
        self, store: Store, account: str, now: datetime
    ) -> None:
        key, plan = an_api_key(account, at=now), Plan(name=account[:64])
        audits = tuple(an_audit_entry(account, at=now) for _ in range(4))
        await store.key_store.add(key, audit=audits[0])
        await store.plan_store.put(plan, audit=audits[1])
        await store.key_store.replace(key.revoke(at=now), audit=audits[2])
        subscription = Subscription(account, plan.name, now)
        await store.plan_store.subscribe(subscription, audit=audits[3])
        assert await store.audit_log.entries(account=account) == audits

    async def test_audit_log_sees_changes_of_data_keys_and_credentials_in_their_order(
        self, store: Store, account: str, now: datetime
    ) -> None:
        audits = tuple(an_audit_entry(account, at=now) for _ in range(7))
        key = a_data_key(account, at=now)
        credential = a_stored_credential(account, at=now, data_key_id=key.id)
        await store.data_key_store.add(key, audit=audits[0])
        await store.credential_store.add(credential, audit=audits[1])
        await store.data_key_store.replace(key.retire(), audit=audits[2])
        await store.audit_log.append(audits[3])
        await store.credential_store.remove(credential, audit=audits[4])
        await store.data_key_store.destroy(account=account, data_key_id=key.id, audit=audits[5])
        await store.credential_store.forget(account, audit=audits[6])
        entries = await store.audit_log.entries(account=account)
        assert entries == audits
        assert [entry.sequence for entry in entries] == [*range(1, 8)]

    async def test_data_keys_know_of_the_credentials_under_them(
        self, store: Store, account: str, now: datetime
    ) -> None:
        key = a_data_key(account, at=now)
        credential = a_stored_credential(account, at=now, data_key_id=key.id)
        await store.data_key_store.add(key, audit=an_audit_entry(account, at=now))
        await store.credential_store.add(credential, audit=an_audit_entry(account, at=now))
        with pytest.raises(Conflict):
            await store.data_key_store.destroy(
                account=account, data_key_id=key.id, audit=an_audit_entry(account, at=now)
            )
        await store.credential_store.forget(account, audit=an_audit_entry(account, at=now))
        assert await store.data_key_store.of_account(account) == (key.destroy(),)

    async def test_quota_is_counted_on_whether_the_key_is_rotated_or_removed(
        self, store: Store, account: str, now: datetime
    ) -> None:
        key, quota = an_api_key(account, at=now), Quota(3)
        await store.key_store.add(key, audit=an_audit_entry(account, at=now))
        assert await store.quota_counter.take(key.id, quota, at=now, calls=2)
        new = a_key_secret(at=now)
        second = key.rotate(new, at=now, overlap=timedelta(days=1))
        await store.key_store.replace(second, audit=an_audit_entry(account, at=now))
        assert not await store.quota_counter.take(key.id, quota, at=now, calls=2)
        await store.key_store.remove(second, audit=an_audit_entry(account, at=now))
        assert (await store.quota_counter.used(key.id, quota, at=now)).used == 2

    async def test_audit_log_sees_no_change_that_was_refused(
        self, store: Store, account: str, now: datetime
    ) -> None:
        key, audit = an_api_key(account, at=now), an_audit_entry(account, at=now)
        await store.key_store.add(key, audit=audit)
        with pytest.raises(Conflict):
            await store.key_store.add(key, audit=an_audit_entry(account, at=now))
        with pytest.raises(NotFound):
            await store.plan_store.subscribe(
                Subscription(account, account[:64], now), audit=an_audit_entry(account, at=now)
            )
        assert await store.audit_log.entries(account=account) == (audit,)

    async def test_parts_are_the_same_each_time(
        self, store: Store, account: str, now: datetime
    ) -> None:
        key = an_api_key(account, at=now)
        await store.key_store.add(key, audit=an_audit_entry(account, at=now))
        assert await store.key_store.find(key.secrets[0].kid) == key
        await store.usage_log.record([a_usage_event(account, at=now)])
        assert len(await store.usage_log.events(account=account)) == 1
        await store.attempt_log.record([an_attempt(account, at=now)])
        assert len(await store.attempt_log.attempts(account=account)) == 1
