"""What somebody wrote into the tables by hand is refused there, or noticed when it is read."""

from datetime import UTC, datetime

import asyncpg
import pytest

from tests.adapters.postgres_databases import postgres_url as postgres_url
from tests.servers.postgres import run_sql
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.contracts.samples import (
    a_data_key,
    a_full_api_key,
    a_stored_credential,
    an_audit_entry,
    new_id,
)
from tollkeeper.domain.audit import AuditKey, ChainState, Fault, chained, follow
from tollkeeper.domain.errors import CorruptResponse

pytestmark = pytest.mark.anyio
NOW = datetime(2001, 1, 1, tzinfo=UTC)
CHAIN = AuditKey(bytes(range(32)))


@pytest.mark.parametrize(
    "change",
    [
        'UPDATE tollkeeper.api_keys SET limits = \'[{"requests": "c4n4ry"}]\'',
        "UPDATE tollkeeper.api_keys SET limits = '[\"c4n4ry\"]'",
        "UPDATE tollkeeper.api_keys SET metadata = '{\"c4n4ry\": 1}'",
        "UPDATE tollkeeper.api_keys SET created_at = '-infinity'",
        "UPDATE tollkeeper.api_keys SET quota_calls = 9223372036854775807",
        "UPDATE tollkeeper.api_keys SET scopes = ARRAY[NULL, 'c4n4ry']",
    ],
)
async def test_a_key_that_is_none_of_ours_is_an_error_and_no_key(
    postgres_url: str, change: str
) -> None:
    """Nothing of it is shown, and nobody is let in (T5)."""
    account = new_id("account")
    key = a_full_api_key(account, at=NOW)
    async with PostgresStore.from_url(postgres_url) as store:
        await store.key_store.add(key, audit=an_audit_entry(account, at=NOW))
        await run_sql(postgres_url, f"{change} WHERE id = '{key.id}'")
        for read in (
            store.key_store.find(key.secrets[0].kid),
            store.key_store.get(account=account, key_id=key.id),
            store.key_store.list(account=account),
        ):
            with pytest.raises(CorruptResponse) as refused:
                await read
            assert refused.value.code == "record_malformed"
            assert "c4n4ry" not in repr((refused.value, vars(refused.value)))
            assert refused.value.__cause__ is None
            assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE tollkeeper.api_keys SET limits = '{}'",
        "UPDATE tollkeeper.api_keys SET metadata = '[]'",
        "UPDATE tollkeeper.api_keys SET networks = '{10.0.0.1/8}'",
        "UPDATE tollkeeper.api_keys SET quota_calls = NULL",
        "UPDATE tollkeeper.api_keys SET quota_period = 'year'",
        "UPDATE tollkeeper.api_keys SET seal = NULL",
        "UPDATE tollkeeper.plans SET rate_on_outage = 'never'",
        "UPDATE tollkeeper.key_quotas SET used = -1",
        "UPDATE tollkeeper.data_keys SET state = 'primary'",
        "UPDATE tollkeeper.data_keys SET wrapped = ''",
        "UPDATE tollkeeper.data_keys SET state = 'destroyed' WHERE state = 'readable'",
        "DELETE FROM tollkeeper.data_keys",
        "UPDATE tollkeeper.credentials SET data_key_id = 'another'",
        "UPDATE tollkeeper.credentials SET account = 'another'",
        "UPDATE tollkeeper.credentials SET label = 'one'",
        "INSERT INTO tollkeeper.audit_entries (account, sequence, id, at, actor, action, subject, "
        "details, mac) VALUES ('a', 1, 'a', now(), 'a', 'a', 'a', '{}', 'a')",
    ],
)
async def test_what_no_record_may_be_the_tables_refuse(postgres_url: str, change: str) -> None:
    account = new_id("account")
    audit = [an_audit_entry(account, at=NOW) for _ in range(5)]
    keys = [a_data_key(account, at=NOW) for _ in range(2)]
    async with PostgresStore.from_url(postgres_url) as store:
        await store.key_store.add(a_full_api_key(account, at=NOW), audit=audit[0])
        for key, entry, label in zip(keys, audit[1:3], ("one", "two"), strict=True):
            await store.data_key_store.add(key, audit=entry)
            credential = a_stored_credential(account, at=NOW, data_key_id=key.id, label=label)
            await store.credential_store.add(credential, audit=audit[3 + keys.index(key)])
    plan = "INSERT INTO tollkeeper.plans VALUES ('a', '{}', '{}', NULL, NULL, NULL, 0)"
    await run_sql(postgres_url, f"{plan} ON CONFLICT DO NOTHING")
    counted = "INSERT INTO tollkeeper.key_quotas VALUES ('a', 'day', '2001-01-01', 1)"
    await run_sql(postgres_url, f"{counted} ON CONFLICT DO NOTHING")
    with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)):
        await run_sql(postgres_url, change)


@pytest.mark.parametrize(
    ("change", "fault", "where"),
    [
        ("UPDATE tollkeeper.audit_entries SET actor = 'nobody' WHERE sequence = 3", "CHANGED", 3),
        ("UPDATE tollkeeper.audit_entries SET details = '{}' WHERE sequence = 2", "CHANGED", 2),
        ("DELETE FROM tollkeeper.audit_entries WHERE sequence = 4", "GAP", 4),
        (
            "UPDATE tollkeeper.audit_entries SET sequence = 90 WHERE sequence = 2; "
            "UPDATE tollkeeper.audit_entries SET sequence = 2 WHERE sequence = 3; "
            "UPDATE tollkeeper.audit_entries SET sequence = 3 WHERE sequence = 90",
            "CHANGED",
            2,
        ),
        (
            "UPDATE tollkeeper.audit_entries SET mac = '', mac_key = '' WHERE sequence = 5",
            "UNCHAINED",
            5,
        ),
    ],
)
async def test_a_superuser_who_changes_the_audit_log_is_noticed(
    postgres_url: str, change: str, fault: str, where: int
) -> None:
    """Whoever follows the chain is told of the first entry that does not hold (T24)."""
    account = new_id("account")
    async with PostgresStore.from_url(postgres_url) as store:
        for _ in range(6):
            head = await store.audit_log.head(account)
            await store.audit_log.append(chained(an_audit_entry(account, at=NOW), head, CHAIN))
        keys = {CHAIN.id: CHAIN}
        whole = follow(ChainState(), await store.audit_log.entries(account=account), keys)
        assert (whole.fault, whole.entries) == (None, 6)
        off, on = ("DISABLE", "ENABLE")
        change = change.replace("WHERE", f"WHERE account = '{account}' AND")
        trigger = "ALTER TABLE tollkeeper.audit_entries {} TRIGGER audit_stays"
        await run_sql(postgres_url, trigger.format(off), change, trigger.format(on))
        found = follow(ChainState(), await store.audit_log.entries(account=account), keys)
        assert found.fault is not None
        assert (found.fault.fault, found.fault.sequence) == (Fault[fault], where)
