"""Tables in PostgreSQL keep the contract, directly and as behind a pooler."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.adapters.tables_faults import LostAnswers, Through
from tests.adapters.tables_schema import FUNCTIONS, emptied, for_postgres
from tests.servers.postgres import empty_database, own_postgres, run_sql
from tests.servers.tcp_proxy import tcp_proxy
from tollkeeper.adapters.postgres.connections import PostgresConnections
from tollkeeper.adapters.postgres.tables import PostgresTables
from tollkeeper.contracts.tables import FunctionsContract, TablesContract
from tollkeeper.contracts.tables_pages import TablesPages
from tollkeeper.contracts.tables_samples import ADD, FAILS, LISTED, NOTES, VALUES, a_note, found
from tollkeeper.contracts.tables_writes import TablesWrites
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    CredentialsRefused,
    InvalidRequest,
    NotFound,
    PoolExhausted,
    Rejected,
    Timeout,
    TollkeeperError,
    Unavailable,
)
from tollkeeper.domain.filters import Everything, col
from tollkeeper.domain.queries import Order
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Column, Function, Table

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Make a host's database, in which nothing of Tollkeeper's is."""
    with empty_database() as url:
        asyncio.run(run_sql(url, *for_postgres(), FUNCTIONS))
        yield url


class OnPostgres:
    """Tables on the file's database, emptied."""

    options = ""

    @pytest.fixture
    async def tables(self, url: str) -> AsyncIterator[PostgresTables]:
        await run_sql(url, emptied())
        async with PostgresTables.from_url(f"{url}?{self.options}") as tables:
            yield tables


class TestPostgresTables(OnPostgres, TablesContract):
    pass


class TestPostgresTablesBehindAPooler(OnPostgres, TablesPages, TablesWrites):
    options = "pooler=transaction&pool_size=3"


class TestLostAnswers(OnPostgres, LostAnswers):
    @pytest.fixture
    async def through(self, tables: PostgresTables, url: str) -> AsyncIterator[Through]:
        port = urlsplit(url).port
        assert port
        async with tcp_proxy(port) as proxy:
            other = url.replace(f":{port}/", f":{proxy.port}/")
            async with PostgresTables.from_url(f"{other}?timeout=2&pool_size=4") as proxied:
                yield Through(proxied, proxy)


class TestPostgresFunctions(OnPostgres, FunctionsContract):
    pass


class TestTheHostsDatabase(OnPostgres):
    """What is PostgreSQL's own."""

    async def test_a_table_is_found_in_its_schema(self, tables: PostgresTables, url: str) -> None:
        await run_sql(url, "CREATE SCHEMA app CREATE TABLE notes (id bigint PRIMARY KEY)")
        notes = Table("app.notes", {"id": Kind.INTEGER}, key="id")
        assert await tables.insert(notes, [{"id": 1}]) == ({"id": 1},)
        assert await tables.update(notes, {"id": 2}, where=col("id") == 1) == 1
        for name in ("notes", "App.notes", "ghost.notes"):
            with pytest.raises(NotFound) as refused:
                await tables.select(Table(name, {"id": Kind.INTEGER}, key="id"))
            assert refused.value.code == "table_not_found"

    async def test_columns_may_be_of_narrower_types(self, tables: PostgresTables, url: str) -> None:
        await run_sql(
            url,
            "CREATE TABLE narrow (id smallint PRIMARY KEY, price numeric(6, 2), "
            "short varchar(3), real real, said json)",
        )
        kinds = {"price": Kind.DECIMAL, "short": Kind.TEXT, "real": Kind.FLOAT, "said": Kind.JSON}
        columns = {name: Column(kind, nullable=True) for name, kind in kinds.items()}
        narrow = Table("narrow", {"id": Kind.INTEGER, **columns}, key="id")
        row = {"id": 1, "price": Decimal("1.255"), "short": "abc", "real": 0.5, "said": {"b": 1}}
        assert await tables.insert(narrow, [row]) == ({**row, "price": Decimal("1.26")},)
        # What a column has no room for is refused where it is written, and compared elsewhere.
        bad: list[dict[str, Any]] = [{"id": 40_000}, {"price": Decimal(10**6)}, {"short": "abcd"}]
        for values in bad:
            with pytest.raises(InvalidRequest) as refused:
                await tables.update(narrow, values, where=Everything())
            assert refused.value.code == "value_refused"
        assert await found(tables, narrow, col("id") < (1 << 40)) == {1}
        assert await found(tables, narrow, col("short") == "abcd") == set()

    @pytest.mark.parametrize(
        "kinds",
        [
            {"title": Kind.INTEGER},
            {"rank": Kind.TEXT},
            {"rank": Kind.BOOLEAN},
            {"title": Kind.TIME},
            {"title": Kind.BYTES},
        ],
        ids=str,
    )
    async def test_another_kind_than_the_database_has_is_an_error(
        self, tables: PostgresTables, kinds: dict[str, Kind]
    ) -> None:
        await tables.insert(NOTES, [a_note("text", rank=1)])
        [(name, kind)] = kinds.items()
        wrong = Table(NOTES.name, {"id": Kind.INTEGER, name: kind}, key="id")
        for step in (tables.select(wrong), tables.select(wrong, order=[Order(name)])):
            with pytest.raises(CorruptResponse) as refused:
                await step
            assert (refused.value.code, refused.value.port) == ("kind_mismatch", "tables")

    async def test_a_time_without_a_zone_is_none_of_ours(
        self, tables: PostgresTables, url: str
    ) -> None:
        await run_sql(url, "CREATE TABLE naive (id bigint PRIMARY KEY, at timestamp)")
        naive = Table(
            "naive", {"id": Kind.INTEGER, "at": Column(Kind.TIME, nullable=True)}, key="id"
        )
        await run_sql(url, "INSERT INTO naive VALUES (1, now())")
        with pytest.raises(CorruptResponse, match="at is declared as time"):
            await tables.select(naive)

    async def test_a_write_whose_answer_cannot_be_read_is_in_doubt(
        self, tables: PostgresTables, url: str
    ) -> None:
        await run_sql(url, "CREATE TABLE loose (id bigint PRIMARY KEY, said text DEFAULT 'text')")
        loose = Table("loose", {"id": Kind.INTEGER, "said": Kind.INTEGER}, key="id")
        with pytest.raises(CorruptResponse) as refused:
            await tables.insert(loose, [{"id": 1}])
        assert refused.value.ambiguous

    async def test_a_trigger_may_refuse(self, tables: PostgresTables, url: str) -> None:
        await run_sql(
            url,
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN RAISE EXCEPTION ''a secret''; END'",
            "CREATE TRIGGER t BEFORE DELETE ON contract_values FOR EACH ROW EXECUTE FUNCTION no()",
        )
        await tables.insert(VALUES, [{"id": 1}])
        with pytest.raises(InvalidRequest) as refused:
            await tables.delete(VALUES, where=Everything())
        assert refused.value.code == "check_failed"
        assert "a secret" not in f"{refused.value!r} {refused.value.__cause__!r}"
        await run_sql(url, "DROP TRIGGER t ON contract_values")

    async def test_what_is_not_unique_is_none_to_upsert_on(self, tables: PostgresTables) -> None:
        claimed = Table(NOTES.name, NOTES.columns, key="id", unique=["title"])
        with pytest.raises(InvalidRequest) as refused:
            await tables.upsert(claimed, [a_note("x")], on=["title"])
        assert refused.value.code == "invalid_rows"

    async def test_a_user_without_rights_is_told_so(self, tables: PostgresTables, url: str) -> None:
        await run_sql(url, "CREATE ROLE reader LOGIN", "GRANT SELECT ON contract_notes TO reader")
        async with PostgresTables.from_url(url.replace("postgres@", "reader@")) as reader:
            assert (await reader.select(NOTES)).rows == ()
            with pytest.raises(CredentialsRefused, match="grant it") as refused:
                await reader.insert(NOTES, [a_note()])
            assert (refused.value.port, refused.value.ambiguous) == ("tables", False)
        await run_sql(url, "DROP OWNED BY reader", "DROP ROLE reader")

    async def test_a_function_is_all_or_nothing(self, tables: PostgresTables, url: str) -> None:
        await run_sql(
            url,
            "CREATE FUNCTION spend(OUT left_over bigint, amount bigint) LANGUAGE plpgsql AS "
            "'BEGIN UPDATE contract_notes SET rank = rank - amount RETURNING rank INTO left_over; "
            "IF left_over < 0 THEN RAISE EXCEPTION ''too little'' USING ERRCODE = ''TW001''; "
            "END IF; END'",
        )
        await tables.insert(NOTES, [a_note(rank=5)])
        spend = Function("spend", {"amount": Kind.INTEGER}, {"left_over": Kind.INTEGER})
        assert await tables.call(spend, {"amount": 3}) == ({"left_over": 2},)
        with pytest.raises(Rejected) as refused:
            await tables.call(spend, {"amount": 3})
        assert (refused.value.code, refused.value.provider_code) == ("function_raised", "TW001")
        assert await found(tables, NOTES, by="rank") == {2}

    async def test_a_function_that_returns_something_else_is_found_out(
        self, tables: PostgresTables
    ) -> None:
        wrong = Function(ADD.name, ADD.arguments, Kind.TEXT)
        with pytest.raises(CorruptResponse):
            await tables.call(wrong, {"a": 1, "b": 2})
        lacking = Function(LISTED.name, LISTED.arguments, {"ghost": Kind.TEXT})
        with pytest.raises(NotFound) as refused:
            await tables.call(lacking, {"many": 1, "said": ""})
        assert refused.value.code == "column_not_found"

    async def test_errors_hold_no_words_of_the_server(self, tables: PostgresTables) -> None:
        with pytest.raises(TollkeeperError) as refused:
            await tables.call(FAILS)
        one: BaseException | None = refused.value
        while one is not None:
            assert "a secret" not in f"{one!s} {one!r} {vars(one)}"
            one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)

    async def test_it_says_how_it_is(self, tables: PostgresTables) -> None:
        assert (await tables.health()).startswith("PostgreSQL ")

    async def test_a_lock_is_waited_for_and_given_up(
        self, tables: PostgresTables, url: str
    ) -> None:
        [note] = await tables.insert(NOTES, [a_note()])
        holder = PostgresConnections.from_url(url)
        impatient = PostgresTables.from_url(f"{url}?timeout=0.3&pool_size=1")
        async with holder, impatient:
            in_doubt: list[bool] = []

            async def hold(connection: Any) -> None:
                await connection.execute("UPDATE contract_notes SET rank = 1")
                started = asyncio.get_running_loop().time()
                steps = [
                    impatient.update(NOTES, {"rank": 2}, where=col("id") == note["id"])
                    for _ in range(2)
                ]
                refused = await asyncio.gather(*steps, return_exceptions=True)
                assert asyncio.get_running_loop().time() - started < 2
                assert all(isinstance(error, Timeout | PoolExhausted) for error in refused)
                in_doubt.extend(getattr(error, "ambiguous", False) for error in refused)

            await holder.in_transaction(hold)
            # What is in doubt may be done as soon as the lock is gone; what is not, never.
            assert await found(impatient, NOTES, by="rank") in (
                [{1}, {2}] if any(in_doubt) else [{1}]
            )


@pytest.mark.parametrize("url", ["postgresql://", "postgresql://u@h/d?x=1", "mysql://u:secret@h/d"])
async def test_malformed_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^tables: ") as refused:
        PostgresTables.from_url(url)
    assert "secret" not in f"{refused.value!r} {refused.value.__cause__!r}"


async def test_a_server_that_is_down_is_an_error_of_the_first_use() -> None:
    async with PostgresTables.from_url("postgresql://u:secret@127.0.0.1:1/d?timeout=1") as tables:
        with pytest.raises(Unavailable) as refused:
            await tables.insert(NOTES, [a_note()])
        assert (refused.value.port, refused.value.ambiguous) == ("tables", False)
        assert "secret" not in str(refused.value)
    with pytest.raises(Unavailable, match="async with tables"):
        await tables.select(NOTES)


@pytest.mark.soak
def test_a_server_that_was_killed_is_used_again_when_it_is_back() -> None:
    with own_postgres("fsync=on") as server:
        asyncio.run(run_sql(server.url, *for_postgres()))

        async def through() -> None:
            async with PostgresTables.from_url(f"{server.url}?timeout=2") as tables:
                for turn in range(2):
                    await tables.insert(NOTES, [a_note(f"turn {turn}")])
                    await asyncio.to_thread(server.crash)
                    with pytest.raises((Unavailable, Timeout)):
                        await tables.select(NOTES)
                    await asyncio.to_thread(server.start)
                    for _ in range(100):
                        try:
                            page = await tables.select(NOTES)
                            break
                        except Unavailable:
                            await asyncio.sleep(0.05)
                    assert len(page.rows) == turn + 1

        asyncio.run(through())
