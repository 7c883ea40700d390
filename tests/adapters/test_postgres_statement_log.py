"""What a PostgreSQL server writes down of tokens that are made of SQL: parameters, and no more."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen

from tests.servers.postgres import migrated_database, own_postgres, run_sql
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.contracts.samples import a_key_secret, an_api_key, an_audit_entry, new_id
from tollkeeper.domain.errors import ConfigurationError, InvalidRequest, NotFound
from tollkeeper.domain.key_limits import Quota

pytestmark = pytest.mark.anyio
NOW = datetime(2001, 1, 1, tzinfo=UTC)
CANARY = "c4n4ry"
PAYLOADS = [
    f"{CANARY}' OR '1'='1",
    f"{CANARY}'; DROP TABLE tollkeeper.api_keys; --",
    f"{CANARY}') UNION SELECT * FROM tollkeeper.api_keys --",
    f'{CANARY}" OR ""="',
    f"{CANARY}\\'; SELECT pg_sleep(10); --",
    f"{CANARY}$$; SELECT 1; $$",
    f"{CANARY}%' LIKE '%",
    f"{CANARY}$1 $2 {{schema}} %s %(kid)s :kid ?",
    f"{CANARY}*[a-z]?",
    f"{CANARY}'] redis.call('FLUSHALL') --[[",
    f"{CANARY}\r\nDELETE FROM tollkeeper.api_keys; /*",
    f"tk_live_{CANARY}_{'a' * 43}ABCDEF",
]
LOGGED = (
    "logging_collector=on",
    "log_destination=jsonlog",
    "log_directory=statements",
    "log_filename=all",
    "log_rotation_age=0",
    "log_statement=all",
    "log_min_messages=warning",
    "log_min_error_statement=error",
)


@frozen
class Logged:
    """A database, and the file in which its server writes down what it was asked."""

    url: str
    file: Path

    def lines(self) -> list[dict[str, Any]]:
        """Return what was written so far."""
        text = self.file.read_text("utf-8")
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


@pytest.fixture(scope="module")
def database() -> Iterator[Logged]:
    with own_postgres(*LOGGED) as server, migrated_database(server.url) as url:
        yield Logged(url, server.folder / "data" / "statements" / "all.json")


@pytest.fixture(params=["", "pooler=transaction"])
async def store(database: Logged, request: pytest.FixtureRequest) -> AsyncIterator[PostgresStore]:
    async with PostgresStore.from_url(f"{database.url}?{request.param}") as store:
        yield store


async def told_of(database: Logged, marker: str) -> list[dict[str, Any]]:
    """Return the lines that tell of *marker*, once the server has written all of them."""
    last = new_id("end")
    await run_sql(database.url, f"SELECT '{last}'")
    async with asyncio.timeout(5):
        while not any(last in str(line.get("message")) for line in database.lines()):
            await asyncio.sleep(0.02)
    return [line for line in database.lines() if marker in json.dumps(line)]


def only_parameters(lines: list[dict[str, Any]]) -> None:
    """Look whether the canary stands in what the server says of parameters, and nowhere else."""
    assert lines, "the server was not asked, or wrote nothing down"
    for line in lines:
        assert CANARY in line["detail"]
        assert line["detail"].lower().startswith("parameters: $1 = ")
        assert CANARY not in json.dumps({**line, "detail": ""})


async def test_payloads_reach_the_server_as_parameters_only(
    database: Logged, store: PostgresStore
) -> None:
    """Each question by a token, an id or an account that is SQL asks for just that (T6)."""
    keys, before = store.key_store, len(await told_of(database, CANARY))
    for payload in PAYLOADS:
        assert await keys.find(payload) is None
        assert await keys.list(account=payload) == ()
        for missing in (
            keys.get(account=payload, key_id=payload),
            keys.list(account=payload, after=payload),
            store.credential_store.get(account=payload, credential_id=payload),
            store.data_key_store.get(account=payload, data_key_id=payload),
            store.audit_log.entries(account=payload, after=payload),
        ):
            with pytest.raises(NotFound) as refused:
                await missing
            assert CANARY not in str(refused.value)
        await keys.page(after=payload, limit=1)
        await keys.mark_used({payload: NOW})
        assert await store.quota_counter.take(new_id(payload), Quota(1), at=NOW)
    lines = await told_of(database, CANARY)
    assert len(lines) - before >= 10 * len(PAYLOADS)
    only_parameters(lines)


async def test_keys_that_are_made_of_payloads_are_kept_as_they_are(
    database: Logged, store: PostgresStore
) -> None:
    """A record in which everything is SQL is text to the server (T6)."""
    for payload in PAYLOADS:
        account = new_id(payload)
        secret = evolve(a_key_secret(at=NOW), kid=new_id(payload))
        key = evolve(
            an_api_key(account, at=NOW, name=payload),
            id=new_id(payload),
            secrets=(secret,),
            metadata={payload: payload},
        )
        audit = evolve(an_audit_entry(account, at=NOW), actor=payload, details={payload: payload})
        await store.key_store.add(key, audit=audit)
        assert await store.key_store.find(secret.kid) == key
        assert await store.audit_log.entries(account=account) == (audit,)
        await store.key_store.remove(key, audit=an_audit_entry(account, at=NOW))
    only_parameters(await told_of(database, CANARY))


async def test_a_refusal_tells_nothing_of_the_payload(
    database: Logged, store: PostgresStore
) -> None:
    """Nor where the server cannot take it, or has no such function (T6, the error path)."""
    for payload in PAYLOADS:
        with pytest.raises(InvalidRequest) as refused:
            await store.key_store.find(f"{payload}\0")
        assert CANARY not in repr((refused.value, vars(refused.value), refused.value.__cause__))
    hidden = "ALTER FUNCTION tollkeeper.key_by_kid RENAME TO hidden"
    await run_sql(database.url, hidden)
    try:
        for payload in PAYLOADS:
            with pytest.raises(ConfigurationError) as missing:
                await store.key_store.find(payload)
            assert CANARY not in repr((missing.value, vars(missing.value)))
            assert CANARY not in repr(missing.value.__cause__)
    finally:
        await run_sql(database.url, "ALTER FUNCTION tollkeeper.hidden RENAME TO key_by_kid")
    lines = await told_of(database, "ERROR")
    assert sum("key_by_kid" in str(line.get("statement")) for line in lines) >= len(PAYLOADS)
    for line in [*lines, *await told_of(database, CANARY)]:
        assert CANARY not in json.dumps({**line, "detail": ""})
