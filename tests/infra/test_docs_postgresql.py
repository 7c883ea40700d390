"""What docs/postgresql.md says is what a PostgreSQL server does."""

import ast
import asyncio
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg
import pytest

from tests.documents import ROOT, blocks, tables
from tests.infra.cli_runs import Cli
from tests.servers.postgres import PostgresServer, own_postgres, run_sql, url_of
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.postgres.addresses import address_of
from tollkeeper.adapters.postgres.store import PostgresStore
from tollkeeper.contracts.samples import a_usage_event, usd
from tollkeeper.domain.errors import CredentialsRefused, Timeout, Unavailable
from tollkeeper.domain.outbox import DeliveryState, Message

PAGE = ROOT / "docs" / "postgresql.md"
SQL = [block.text for block in blocks(PAGE, "sql")]
PYTHON = [block.text for block in blocks(PAGE, "python")]
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for block in blocks(PAGE, "sh")
    for line in block.text.splitlines()
    if line.startswith("tollkeeper ")
]


def sql_with(words: str) -> str:
    """Return the page's SQL that has *words* in it."""
    [found] = [text for text in SQL if words in text]
    return found


def as_role(url: str, role: str) -> str:
    return url.replace("postgres@", f"{role}:which%20nobody%20asks%20for@")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with own_postgres() as server:
        asyncio.run(run_sql(server.url, "CREATE DATABASE app"))
        yield server


@pytest.fixture(scope="module")
def url(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of the database that was set up as the page says, by a superuser."""
    url = url_of(server.url, "app")
    asyncio.run(run_sql(url, sql_with("CREATE ROLE tollkeeper_owner")))
    cli = Cli(tmp_path_factory.mktemp("set-up"))
    assert [arguments[0] for arguments in COMMANDS] == ["migrate", "migrate", "doctor"]
    for arguments in COMMANDS[:2]:
        ran = cli.here(*arguments, OWNER_URL=as_role(url, "tollkeeper_owner"))
        assert ran.code == 0, ran.err
    (cli.folder / "tollkeeper.toml").write_text("[local]\ntranscribers = {}\n")
    ran = cli.here(
        *COMMANDS[2],
        TOLLKEEPER_STORE=as_role(url, "tollkeeper_app"),
        TOLLKEEPER_KEY_PEPPER="0123456789abcdef" * 4,
    )
    assert ran.code == 0, ran.out
    return url


def namespace(code: str) -> dict[str, Any]:
    """Run *code* and return what it defines."""
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    return names


def a_message(clock: MemoryClock, name: str, payload: str = "well") -> Message:
    return Message(
        id=f"message_{name}",
        account="acme",
        topic="mail",
        idempotency_key=name,
        payload=payload,
        created_at=clock.now(),
    )


def test_options_of_the_url_are_those_of_the_page() -> None:
    [table] = [table for table in tables(PAGE) if "option" in table[0]]
    said: Mapping[str, str] = {row["option"].strip("`"): row["default"] for row in table}
    address = address_of("postgresql://me@localhost/db")
    assert {name: text.strip("`") for name, text in said.items() if name in ("pool_size", "schema")}
    assert (said["pool_size"], said["schema"]) == ("`10`", "`tollkeeper`")
    assert (address.pool_size, address.timeout, address.schema) == (10, 5.0, "tollkeeper")
    assert (address.group, address.pooler, address.sslmode) == (True, False, "disable")
    assert address_of("postgresql://me@db.example.com/db").sslmode == "verify-full"
    for name in said:
        value = {"pooler": "transaction", "schema": "a", "group": "off", "sslmode": "require"}
        if name != "sslrootcert":
            address_of(f"postgresql://me@localhost/db?{name}={value.get(name, '3')}")
    socket = re.search(r"\?host=(\S+?)`", PAGE.read_text("utf-8"))
    assert socket is not None
    assert address_of(f"postgresql://me@/db?host={socket[1]}").host == socket[1]


@pytest.mark.anyio
async def test_hosts_work_with_what_their_role_may_do(url: str) -> None:
    clock = MemoryClock()
    async with PostgresStore.from_url(as_role(url, "tollkeeper_app")) as store:
        await store.ledger.grant(
            account="acme", amount=usd(1), idempotency_key="a", entry_id="entry", at=clock.now()
        )
    app = await asyncpg.connect(as_role(url, "tollkeeper_app"))
    try:
        for table in ("balances", "entries", "messages", "usage_archive", "all_usage"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.fetch(f"SELECT * FROM tollkeeper.{table}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(sql_with("archive_usage"))
    finally:
        await app.close()


@pytest.mark.anyio
async def test_a_role_for_reports_reads_and_changes_nothing(url: str) -> None:
    await run_sql(url, sql_with("CREATE ROLE reports"))
    clock = MemoryClock()
    renewed = "SET search_path TO tollkeeper; SELECT renew_grants()"
    for migration in ("", renewed):
        if migration:
            await run_sql(as_role(url, "tollkeeper_owner"), migration)
        async with PostgresStore.from_url(as_role(url, "reports")) as store:
            assert "PostgreSQL" in await store.health()
            assert await store.usage_log.totals(account="nobody") == ()
            assert await store.ledger.entries(account="nobody", currency="USD") == ()
            assert await store.audit_log.entries(account="nobody") == ()
            assert await store.attempt_log.attempts(account="nobody") == ()
            with pytest.raises(CredentialsRefused):
                await store.key_store.find("kid")
            with pytest.raises(CredentialsRefused):
                await store.ledger.expire(at=clock.now())


@pytest.mark.anyio
async def test_a_replica_reads_and_refuses_changes(url: str) -> None:
    await run_sql(url, "ALTER ROLE tollkeeper_app SET default_transaction_read_only = on")
    try:
        async with PostgresStore.from_url(f"{as_role(url, 'tollkeeper_app')}?timeout=2") as store:
            assert await store.usage_log.totals(account="nobody") == ()
            assert await store.usage_log.events(account="nobody") == ()
            assert await store.audit_log.entries(account="nobody") == ()
            with pytest.raises(Unavailable, match="read-only"):
                await store.usage_log.record([a_usage_event("acme", at=MemoryClock().now())])
    finally:
        await run_sql(url, "ALTER ROLE tollkeeper_app RESET default_transaction_read_only")


@pytest.mark.anyio
async def test_the_role_limits_statements_behind_a_pooler(url: str) -> None:
    limit = sql_with("statement_timeout")
    await run_sql(url, limit.replace("5s", "100ms"))
    try:
        blocker = await asyncpg.connect(url)
        await blocker.execute("BEGIN; LOCK TABLE tollkeeper.plans IN ACCESS EXCLUSIVE MODE")
        options = "pooler=transaction&timeout=5"
        async with PostgresStore.from_url(f"{as_role(url, 'tollkeeper_app')}?{options}") as store:
            with pytest.raises(Timeout, match="took too long"):
                await store.plan_store.plans()
        await blocker.close()
    finally:
        await run_sql(url, "ALTER ROLE tollkeeper_app RESET statement_timeout")


@pytest.mark.anyio
async def test_the_outbox_works_as_shown(url: str) -> None:
    sign_up, deliver = (namespace(code) for code in PYTHON)
    clock = MemoryClock()
    await run_sql(url, "CREATE TABLE customers (account text)")
    host = await asyncpg.connect(url)
    sent: list[str] = []

    async def send(message: Message) -> None:
        if message.payload != "well":
            kind = Unavailable if message.payload == "busy" else CredentialsRefused
            raise kind(message.payload, port="mail", adapter="of_a_test")
        sent.append(message.id)

    try:
        await sign_up["sign_up"](host, a_message(clock, "signed_up"))
        async with PostgresStore.from_url(as_role(url, "tollkeeper_app")) as store:
            await store.outbox.add(
                [a_message(clock, "b", "busy"), a_message(clock, "r", "refused")]
            )
            await deliver["deliver"](store.outbox, clock, send)
            assert sent == ["message_signed_up"]
            stands = {
                each.message.payload: state
                for state in DeliveryState
                for each in await store.outbox.messages(state=state, account="acme")
            }
            assert stands == {"well": "done", "busy": "pending", "refused": "dead"}
            await run_sql(as_role(url, "tollkeeper_owner"), sql_with("DELETE FROM"))
            assert await store.outbox.messages(state=DeliveryState.DONE) == ()
    finally:
        await host.close()


@pytest.mark.anyio
async def test_the_owner_archives_and_detaches_a_month(url: str) -> None:
    clock = MemoryClock()
    january = clock.now().replace(year=2025, month=1, day=9)
    async with PostgresStore.from_url(as_role(url, "tollkeeper_app")) as store:
        await store.usage_log.record([a_usage_event("archived", at=january)])
        owner = as_role(url, "tollkeeper_owner")
        await run_sql(owner, sql_with("archive_usage"))
        assert len(await store.usage_log.events(account="archived")) == 1
        await run_sql(owner, sql_with("DETACH PARTITION"))
        assert await store.usage_log.events(account="archived") == ()
