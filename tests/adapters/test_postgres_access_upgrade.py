"""A database of an earlier version is brought up to date, and all that is in it still reads."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from attrs import evolve

from tests.servers.postgres import empty_database, run_sql
from tollkeeper.adapters.postgres.schema import MIGRATIONS
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.contracts.samples import an_audit_entry
from tollkeeper.domain.api_keys import ApiKey, KeySecret
from tollkeeper.domain.audit import AuditHead
from tollkeeper.domain.errors import ConfigurationError, Conflict, NotFound
from tollkeeper.domain.key_limits import OnOutage
from tollkeeper.domain.plans import Plan
from tollkeeper.domain.rate_limits import RateLimit
from tollkeeper.infra.schema_versions import migrate, sql_of

pytestmark = pytest.mark.anyio
NOW = datetime(2001, 1, 1, tzinfo=UTC)
FORMER = MIGRATIONS[: MIGRATIONS.index("0007_access")]
AUDIT = """'{"id": "audit %s", "at": "2001-01-01T00:00:00Z", "account": "acme", "actor": "a",
"action": "b", "subject": "c", "details": {}}'"""
WRITTEN = f"""
SELECT tollkeeper.add_key('key_1', 'acme', 'a key', '{{chat:complete,mail:send}}', 'tk_test',
    '2001-01-01Z', '2002-01-01Z', NULL, 1, '2001-01-02Z', '{{new,old}}',
    ARRAY['\\x00ff'::bytea, '\\x01'], '{{p2,p1}}', '{{2001-01-01Z,2000-01-01Z}}',
    ARRAY[NULL, '2001-02-01Z'::timestamptz], {AUDIT % 1});
SELECT tollkeeper.put_plan('pro', '{{*}}', '{{a/*}}', 60, '1 minute', 4096, 250, {AUDIT % 2});
SELECT tollkeeper.put_subscription('acme', 'pro', '2001-01-01Z', NULL, {AUDIT % 3});
"""
KEY = ApiKey(
    id="key_1",
    account="acme",
    name="a key",
    scopes=frozenset({"chat:complete", "mail:send"}),
    prefix="tk_test",
    secrets=(
        KeySecret("new", b"\x00\xff", "p2", NOW),
        KeySecret("old", b"\x01", "p1", NOW.replace(year=2000), not_after=NOW + timedelta(days=31)),
    ),
    created_at=NOW,
    expires_at=NOW.replace(year=2002),
    last_used_at=NOW + timedelta(days=1),
)
PLAN = Plan("pro", ("*",), ("a/*",), RateLimit(60, timedelta(minutes=1)), 4096, 250)
MAY = "SELECT has_function_privilege($1, 'tollkeeper.audit_page(text, text, bigint)', 'EXECUTE')"


@pytest.fixture
def former() -> Iterator[str]:
    """A database as the version before left it, with a key, a plan and a subscription."""
    with empty_database() as url:
        asyncio.run(
            run_sql(
                url,
                "CREATE SCHEMA tollkeeper; SET search_path TO tollkeeper, pg_temp; "
                "CREATE TABLE schema_version (version_num varchar(32) NOT NULL PRIMARY KEY);"
                f"INSERT INTO schema_version VALUES ('{FORMER[-1].partition('_')[0]}');"
                + "\n".join(map(sql_of, FORMER)),
                WRITTEN,
            )
        )
        yield url


@pytest.fixture
def reader(former: str) -> Iterator[str]:
    """A role for reports, which was let read the audit log by hand."""
    role = f"reader_{uuid.uuid4().hex}"
    granted = f"GRANT EXECUTE ON FUNCTION tollkeeper.audit_page TO {role}"
    asyncio.run(run_sql(former, f"CREATE ROLE {role}; {granted}"))
    try:
        yield role
    finally:
        asyncio.run(run_sql(former, f"DROP OWNED BY {role}; DROP ROLE {role}"))


async def test_what_an_earlier_version_wrote_still_reads_and_changes(former: str) -> None:
    with pytest.raises(ConfigurationError, match="missing: 0007_access"):
        await PostgresStore.from_url(former).__aenter__()
    assert (await migrate(former)).present == FORMER
    async with PostgresStore.from_url(former) as store:
        assert await store.key_store.get(account="acme", key_id="key_1") == KEY
        assert await store.key_store.find("old") == KEY
        assert await store.key_store.page() == (KEY,)
        assert await store.plan_store.plans() == (PLAN,)
        assert await store.plan_store.plan_of("acme", at=NOW) == PLAN
        assert PLAN.on_outage is OnOutage.CLOSED
        entries = await store.audit_log.entries(account="acme")
        assert [(each.id, each.sequence, each.mac, each.mac_key) for each in entries] == [
            (f"audit {n}", n, b"", "") for n in (1, 2, 3)
        ]
        assert await store.audit_log.head("acme") == AuditHead(3)
        changed = evolve(KEY, version=2, disabled_at=NOW, description="rests")
        entry = evolve(an_audit_entry("acme", at=NOW), sequence=4, mac=b"m", mac_key="k")
        await store.key_store.replace(changed, audit=entry)
        assert await store.key_store.find("new") == changed
        assert await store.audit_log.head("acme") == AuditHead(4, b"m")
        with pytest.raises(Conflict, match="written first"):
            await store.key_store.remove(changed, audit=evolve(entry, id="again"))
        await store.key_store.remove(changed, audit=an_audit_entry("acme", at=NOW))
        with pytest.raises(NotFound):
            await store.key_store.get(account="acme", key_id="key_1")


async def test_entries_of_an_earlier_version_stay_as_they_are(former: str) -> None:
    await migrate(former)
    changes = (
        "UPDATE tollkeeper.audit_entries SET mac = ''",
        "DELETE FROM tollkeeper.audit_entries",
    )
    for change in changes:
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await run_sql(former, change)


async def test_a_role_that_was_let_read_the_audit_log_still_is(former: str, reader: str) -> None:
    await migrate(former)
    connection = await asyncpg.connect(former)
    try:
        assert await connection.fetchval(MAY, reader) is True
        assert await connection.fetchval(MAY, "pg_monitor") is False
    finally:
        await connection.close()


async def test_a_host_of_an_earlier_version_lets_nobody_in_any_more(former: str) -> None:
    await migrate(former)
    connection = await asyncpg.connect(former)
    try:
        with pytest.raises(asyncpg.UndefinedFunctionError):
            await connection.execute(WRITTEN)
        # Its question for a key finds other columns than it reads.
        rows = await connection.fetch("SELECT * FROM tollkeeper.key_by_kid('new')")
        assert [tuple(row.keys()) for row in rows] == [("document",)]
    finally:
        await connection.close()
