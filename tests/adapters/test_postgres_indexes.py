"""No question that a host asks often reads a whole table, however large it is."""

import asyncio

import asyncpg
import pytest

from tests.adapters.postgres_databases import postgres_url as empty_url
from tests.servers.postgres import run_sql

pytestmark = pytest.mark.anyio
__all__ = ["empty_url"]

ROWS = """
SET search_path TO tollkeeper;
INSERT INTO usage_events (id, account, key_id, call_id, operation, model, meter, quantity,
    provenance, cost, cost_currency, charge, charge_currency, price_id, occurred_at)
SELECT 'event ' || n, 'account ' || n % 100, 'key', 'call ' || n / 4, 'chat:complete', 'a/b',
    'input_tokens', n, 'reported', 0, 'USD', 0, 'USD', 'p', '2001-01-01'::timestamptz
    + n * interval '1 minute'
FROM generate_series(1, 10000) AS n;
INSERT INTO usage_events (id, account, key_id, call_id, operation, model, meter, quantity,
    provenance, cost, cost_currency, charge, charge_currency, price_id, occurred_at)
SELECT 'old event ' || n, 'account ' || n % 100, 'key', 'call ' || n / 4, 'chat:complete', 'a/b',
    'input_tokens', n, 'reported', 0, 'USD', 0, 'USD', 'p', '2000-11-01'::timestamptz
    + n * interval '6 minutes'
FROM generate_series(1, 14000) AS n;
SELECT archive_usage('2000-11-01Z', 10000), archive_usage('2000-12-01Z', 10000);
INSERT INTO attempts (id, call_id, account, number, provider, model, credential, started_at,
    lasted, outcome, billed, settlement, provenance, quantities, cost, cost_currency, price_id,
    error)
SELECT 'attempt ' || n, 'call ' || n % 2500, 'account ' || n % 100, 1, 'a', 'a/b', '',
    '2001-01-01'::timestamptz + n * interval '1 minute', '1 second', 'answered', 'yes', 'charged',
    'reported', '{}', 0, 'USD', 'p', ''
FROM generate_series(1, 10000) AS n;
INSERT INTO api_keys (id, account, name, scopes, prefix, created_at, version)
SELECT 'key ' || n, 'account ' || n % 100, 'a key', '{}', 'tk',
    '2001-01-01'::timestamptz + n * interval '1 minute', 1
FROM generate_series(1, 10000) AS n;
INSERT INTO key_secrets (key_id, position, kid, verifier, pepper_id, not_before)
SELECT 'key ' || n, p, 'kid ' || n || ' ' || p, '', 'pepper', '2001-01-01'
FROM generate_series(1, 10000) AS n, generate_series(1, 2) AS p;
INSERT INTO audit_entries (account, sequence, id, at, actor, action, subject, details)
SELECT 'account ' || n % 100, n, 'audit ' || n, '2001-01-01', 'a', 'b', 'c', '{}'
FROM generate_series(1, 10000) AS n;
INSERT INTO key_quotas (key_id, period, since, used)
SELECT 'key ' || n, 'day', '2001-01-01', 1 FROM generate_series(1, 10000) AS n;
INSERT INTO data_keys (id, account, algorithm, kek_id, wrapped, commitment, state, created_at,
    version)
SELECT 'data key ' || n, 'account ' || n, 1, 'k', 'w', 'c', 'primary', '2001-01-01', 1
FROM generate_series(1, 10000) AS n;
INSERT INTO credentials (id, account, provider, base_url, label, sealed, data_key_id, created_at,
    version)
SELECT 'credential ' || n, 'account ' || n, 'openai', 'u', 'default', 's', 'data key ' || n,
    '2001-01-01', 1
FROM generate_series(1, 10000) AS n;
INSERT INTO plans (name, operations, models, markup_bps)
SELECT 'plan ' || n, '{}', '{}', 0 FROM generate_series(1, 10000) AS n;
INSERT INTO subscriptions (account, plan, starts_at)
SELECT 'account ' || n, 'plan ' || n, '2001-01-01' FROM generate_series(1, 10000) AS n;
INSERT INTO balances (account, currency, posted, held)
SELECT 'account ' || n, 'USD', 1000000, 1000 FROM generate_series(0, 9999) AS n;
INSERT INTO holds (id, account, currency, amount, idempotency_key, purpose, placed_at, expires_at)
SELECT 'hold ' || n, 'account ' || n % 100, 'USD', 1, 'key ' || n, 'a call', '2001-01-01',
    '2001-01-02'
FROM generate_series(1, 10000) AS n;
INSERT INTO entries (id, account, currency, sequence, kind, amount, balance_after, at, description,
    idempotency_key)
SELECT 'entry ' || n, 'account ' || n % 100, 'USD', n, 'grant', 1, n, '2001-01-01', '', 'key ' || n
FROM generate_series(1, 10000) AS n;
INSERT INTO messages (id, account, topic, idempotency_key, payload, created_at, first_due,
    max_tries, due_at, state, ended_at)
SELECT 'message ' || n, 'account ' || n % 100, 'topic ' || n % 4, 'key ' || n, '{}', '2001-01-01',
    '2001-01-01', 10, '2001-01-01'::timestamptz + n * interval '1 minute',
    (ARRAY['pending', 'done', 'dead', 'done', 'done'])[1 + n % 5],
    CASE WHEN n % 5 > 0 THEN '2001-01-01'::timestamptz END
FROM generate_series(1, 10000) AS n;
ANALYZE;
"""
DAY = "'2001-01-02'::timestamptz, '2001-01-03'::timestamptz"
EVENT = """[{"id": "an event", "account": "account 7", "key_id": "key", "call_id": "call",
"operation": "chat:complete", "model": "a/b", "meter": "input_tokens", "quantity": 17,
"provenance": "reported", "cost": 0, "cost_currency": "USD", "charge": 0, "charge_currency": "USD",
"price_id": "p", "occurred_at": "2001-01-01T00:00:00Z", "attempt": 1}]"""
OLD_EVENT = EVENT.replace("an event", "old event 7").replace("17", "7")
KEY = """{"id": "key 7", "account": "account 7", "name": "a key", "description": "", "scopes": [],
"prefix": "tk", "created_at": "2001-01-01T00:00:00Z", "version": 2, "limits": [], "networks": [],
"metadata": {}, "secrets": [{"kid": "new kid", "verifier": "x", "pepper_id": "p",
"not_before": "2001-01-01T00:00:00Z"}]}"""
DATA_KEY = """{"id": "data key 7", "account": "account 7", "algorithm": 1, "kek_id": "k",
"wrapped": "w", "commitment": "c", "state": "primary", "created_at": "2001-01-01T00:00:00Z",
"version": 2}"""
NEW_DATA_KEY = DATA_KEY.replace("data key 7", "new")
CREDENTIAL = """{"id": "credential 7", "account": "account 7", "provider": "openai",
"base_url": "u", "label": "new", "sealed": "s", "data_key_id": "data key 7",
"created_at": "2001-01-01T00:00:00Z", "version": 2}"""
NEW_CREDENTIAL = CREDENTIAL.replace("credential 7", "new")
AUDIT = """'{"id": "new audit", "at": "2001-01-01T00:00:00Z", "account": "account 7", "actor": "a",
"action": "b", "subject": "c", "details": {}}'"""
CAPTURE = f"capture_hold('hold 5007', 0, 'USD', 'new', '2001-01-01', '{EVENT}', '[]')"
MESSAGE = """[{"id": "new", "account": "account 7", "topic": "topic 1",
"idempotency_key": "new", "payload": "{}", "created_at": "2001-01-01T00:00:00Z"}]"""
AGAIN = "SELECT * FROM tollkeeper."
QUESTIONS = {
    "a page of archived events": (
        "usage_page('account 7', '2000-11-05Z', '2000-12-05Z', NULL, 10)"
    ),
    "a later page of archived events": "usage_page('account 7', NULL, NULL, 'old event 7', 200)",
    "an archived event recorded again": f"record_usage('{OLD_EVENT}')",
    "a new message": f"add_messages('{MESSAGE}')",
    "a claim of messages": "claim_messages('topic 1', '2001-01-09', '2001-01-10', 10)",
    "a claim where nothing is due": "claim_messages('topic 1', '2000-01-01', '2001-01-10', 10)",
    "delivered messages": "messages_done('{message 5, message 10}', '2001-01-02')",
    "a failed message": "message_failed('message 5', 0, 'why', '2001-01-02', '2001-01-03')",
    "a revived message": "revive_message('message 7', 'account 7', '2001-01-02')",
    "a page of dead messages": "message_page('dead', NULL, NULL, 10)",
    "a later page of dead messages": "message_page('dead', NULL, 'message 5', 10)",
    "a page of an account's messages": "message_page('done', 'account 7', NULL, 10)",
    "a page of events": "usage_page('account 7', NULL, NULL, NULL, 10)",
    "a later page of events": "usage_page('account 7', NULL, NULL, 'event 5007', 10)",
    "a day of events": f"usage_page('account 7', {DAY}, NULL, 10)",
    "totals": "usage_totals('account 7', NULL, NULL)",
    "totals of a day": f"usage_totals('account 7', {DAY})",
    "recorded usage": f"record_usage('{EVENT}')",
    "usage recorded again": f"record_usage('{EVENT}'); {AGAIN}record_usage('{EVENT}')",
    "a page of attempts": "attempt_page('account 7', NULL, NULL, NULL, NULL, 10)",
    "a later page of attempts": "attempt_page('account 7', NULL, NULL, NULL, 'attempt 5007', 10)",
    "the attempts of a call": "attempt_page('account 7', 'call 7', NULL, NULL, NULL, 10)",
    "a key by its kid": "key_by_kid('kid 5007 2')",
    "a key by its id": "key_by_id('account 7', 'key 5007')",
    "a page of keys": "key_page('account 7', NULL, 10)",
    "a later page of keys": "key_page('account 7', 'key 5007', 10)",
    "the last use of keys": "mark_keys_used('{key 7, key 8}', '{2001-01-02, 2001-01-02}')",
    "a page of all keys": "all_keys('key 5007', 10)",
    "a replaced key": f"replace_key('{KEY}', {AUDIT})",
    "a removed key": f"remove_key('key 7', 'account 7', 1, {AUDIT})",
    "a call of a quota": "take_quota('key 7', 'day', '2001-01-01', 1, 10)",
    "the first call of a day": "take_quota('key 7', 'day', '2001-01-02', 1, 10)",
    "a call given back": "give_back_quota('key 7', 'day', '2001-01-01', 1)",
    "what is used of a quota": "used_quota('key 7', 'day', '2001-01-01')",
    "a new data key": f"add_data_key('{NEW_DATA_KEY}', {AUDIT})",
    "a replaced data key": f"replace_data_key('{DATA_KEY}', {AUDIT})",
    "the primary data key": "primary_data_key('account 7')",
    "a data key": "data_key_by_id('account 7', 'data key 7')",
    "an account's data keys": "data_key_page('account 7', NULL, NULL)",
    "a page of all data keys": "all_data_keys('data key 5007', 10)",
    "a new credential": f"add_credential('{NEW_CREDENTIAL}', {AUDIT})",
    "a replaced credential": f"replace_credential('{CREDENTIAL}', {AUDIT})",
    "a removed credential": f"remove_credential('credential 7', 'account 7', 1, {AUDIT})",
    "an account forgotten": f"forget_credentials('account 7', {AUDIT})",
    "a credential": "credential_by_id('account 7', 'credential 7')",
    "a page of credentials": "credential_page('account 7', 'credential 7', 10)",
    "the credentials under a data key": "credentials_under('data key 7', NULL, 10)",
    "the end of an account's chain": "audit_head('account 7')",
    "an audit entry of no change": f"add_audit({AUDIT})",
    "accounts with audit entries": "audit_accounts('account 4', 10)",
    "a page of the audit log": "audit_page('account 7', NULL, 10)",
    "a later page of the audit log": "audit_page('account 7', 'audit 5007', 10)",
    "an account's plan": "plan_of('account 7', '2001-01-02')",
    "a hold": (
        "place_hold('new', 'account 7', 'USD', 1, 'a call', 'new', '2001-01-01 01:00', "
        "'2001-01-01')"
    ),
    "a hold after others have expired": (
        "place_hold('new', 'account 7', 'USD', 1, 'a call', 'new', '2001-01-05', '2001-01-03')"
    ),
    "a capture": CAPTURE,
    "a replayed capture": f"{CAPTURE}; {AGAIN}{CAPTURE}",
    "a release": "release_hold('hold 5007', '2001-01-01', '[]')",
    "the expiry of holds": "expire_holds('2001-01-03', NULL, 10)",
    "the expiry of an account's holds": "expire_holds('2001-01-03', 'account 7', 10)",
    "a grant": "grant_credit('account 7', 'USD', 1, 'new', 'new', '2001-01-01', '')",
    "a balance": "balance_of('account 7', 'USD')",
    "a page of entries": "entries_of('account 7', 'USD', 5007, 10)",
    "a new subscription": f"put_subscription('account 7', 'plan 8', '2001-01-02', NULL, {AUDIT})",
}
SCANNED = """
SELECT relname, seq_scan FROM pg_stat_xact_user_tables
WHERE schemaname = 'tollkeeper' AND seq_scan > 0
"""


@pytest.fixture(scope="module")
def url(empty_url: str) -> str:
    asyncio.run(run_sql(empty_url, ROWS))
    return empty_url


@pytest.mark.parametrize("plans", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_frequent_question_reads_no_whole_table(
    url: str, question: str, plans: str
) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"SET plan_cache_mode = {plans}; BEGIN")
        await connection.execute(f"SELECT * FROM tollkeeper.{QUESTIONS[question]}")
        assert [tuple(row) for row in await connection.fetch(SCANNED)] == []
    finally:
        await connection.close()


async def test_a_table_that_is_read_whole_is_noticed(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("BEGIN; SELECT count(quantity) FROM tollkeeper.usage_events")
        assert [tuple(row) for row in await connection.fetch(SCANNED)] == [("usage_events", 1)]
    finally:
        await connection.close()


async def test_what_pages_are_ordered_by_is_compared_by_code_point(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("""
            SELECT c.relname || '.' || a.attname FROM pg_attribute AS a
            JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'r'
            JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'tollkeeper'
            JOIN pg_collation AS o ON o.oid = a.attcollation AND o.collname <> 'C'
            WHERE (c.relname, a.attname) IN (('usage_events', 'id'), ('attempts', 'id'),
                ('messages', 'id'), ('api_keys', 'id'), ('audit_entries', 'id'),
                ('key_secrets', 'kid'), ('plans', 'name'),
                ('data_keys', 'id'), ('credentials', 'id'), ('audit_entries', 'account'))
        """)
        assert [row[0] for row in rows] == []
    finally:
        await connection.close()
