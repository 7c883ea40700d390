"""Tables in a Supabase project keep the contract, and its users see what is theirs."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

import pytest

from tests.adapters.tables_faults import LostAnswers, Through
from tests.adapters.tables_schema import FUNCTIONS, emptied, for_postgres
from tests.servers.postgres import run_sql
from tests.servers.postgrest import PostgrestServer, postgrest_server
from tests.servers.postgrest_database import project_database
from tests.servers.tcp_proxy import tcp_proxy
from tollkeeper.adapters.supabase.tables import SupabaseTables
from tollkeeper.contracts.tables import FunctionsContract, TablesContract
from tollkeeper.contracts.tables_pages import TablesPages
from tollkeeper.contracts.tables_samples import ADD, LISTED, NOTES, VALUES, a_note, every_row, found
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    CredentialsRefused,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Rejected,
    Unsupported,
)
from tollkeeper.domain.filters import Everything, col
from tollkeeper.domain.queries import Order
from tollkeeper.domain.table_values import Kind
from tollkeeper.domain.tables import Column, Function, Table

pytestmark = pytest.mark.anyio
_MINE = Table("mine", {"id": Kind.INTEGER, "owner": Kind.TEXT, "said": Kind.TEXT}, key="id")
_RIGHTS = """
CREATE TABLE mine (id bigint PRIMARY KEY, owner text NOT NULL DEFAULT auth.uid(), said text);
ALTER TABLE mine ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON mine FOR ALL TO authenticated USING (owner = auth.uid());
REVOKE ALL ON mine FROM anon;
CREATE TABLE hidden (id bigint PRIMARY KEY);
REVOKE ALL ON hidden FROM anon, authenticated, service_role;
CREATE SCHEMA unexposed CREATE TABLE notes (id bigint PRIMARY KEY);
"""


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """Make a project's database with the tables of the contract, and nothing of Tollkeeper's."""
    with project_database(migrated=False) as url:
        asyncio.run(run_sql(url, *for_postgres(), FUNCTIONS, _RIGHTS))
        yield url


@pytest.fixture(scope="module")
def project(database: str) -> Iterator[PostgrestServer]:
    with postgrest_server(database) as server:
        yield server


@pytest.fixture(scope="module")
def small_project(database: str) -> Iterator[PostgrestServer]:
    """Serve a project that returns 100 rows at most, which its URL does not say."""
    with postgrest_server(database, max_rows=100) as server:
        yield server


class InAProject:
    @pytest.fixture
    async def tables(self, project: PostgrestServer) -> AsyncIterator[SupabaseTables]:
        await run_sql(project.database, emptied(), "TRUNCATE mine")
        async with SupabaseTables.from_url(project.store_url(options="timeout=20")) as tables:
            yield tables


class InASmallProject:
    @pytest.fixture
    async def tables(self, small_project: PostgrestServer) -> AsyncIterator[SupabaseTables]:
        await run_sql(small_project.database, emptied())
        async with SupabaseTables.from_url(small_project.store_url()) as tables:
            yield tables


class TestSupabaseTables(InAProject, TablesContract):
    pass


class TestLostAnswers(InAProject, LostAnswers):
    @pytest.fixture
    async def through(
        self, tables: SupabaseTables, project: PostgrestServer
    ) -> AsyncIterator[Through]:
        async with tcp_proxy(project.port) as proxy:
            url = project.store_url(proxy.port, options="timeout=2&pool_size=4")
            async with SupabaseTables.from_url(url) as proxied:
                yield Through(proxied, proxy)


class TestSupabaseFunctions(InAProject, FunctionsContract):
    pass


class TestSupabasePagesOfSmallAnswers(InASmallProject, TablesPages):
    pass


class TestWhereTheProjectCutsAnswers(InASmallProject):
    async def test_a_page_is_whole_all_the_same(self, tables: SupabaseTables) -> None:
        rows = [{"id": number, "a_text": str(number % 7)} for number in range(250)]
        for start in (0, 100, 200):
            await tables.insert(VALUES, rows[start : start + 100])
        for limit in (99, 100, 101, 250, 1000):
            order = [Order("a_text", descending=True)]
            read = await every_row(tables, VALUES, order=order, limit=limit)
            ids = [row["id"] for row in read]
            assert ids == sorted(range(250), key=lambda number: (-(number % 7), number))

    async def test_a_long_list_over_cut_answers(self, tables: SupabaseTables) -> None:
        for start in (0, 100, 200):
            await tables.insert(VALUES, [{"id": n} for n in range(start, start + 100)])
        where = col("id").is_in([*range(0, 2000, 2)])
        read = await every_row(tables, VALUES, where=where, limit=120)
        assert [row["id"] for row in read] == [*range(0, 300, 2)]

    async def test_functions_that_are_cut_off_are_refused(self, tables: SupabaseTables) -> None:
        assert len(await tables.call(LISTED, {"many": 100, "said": "x"})) == 100
        with pytest.raises(Rejected) as refused:
            await tables.call(LISTED, {"many": 101, "said": "x"})
        assert (refused.value.code, refused.value.port) == ("rows_left_out", "tables")


class TestUsersOfTheProject(InAProject):
    async def test_they_see_and_change_what_is_theirs(
        self, tables: SupabaseTables, project: PostgrestServer
    ) -> None:
        rows = [{"id": n, "owner": "ada" if n % 2 else "bob", "said": "x"} for n in range(10)]
        await tables.insert(_MINE, rows)
        ada, bob = (tables.as_user(project.keys.user(name)) for name in ("ada", "bob"))
        assert await found(ada, _MINE) == {1, 3, 5, 7, 9}
        assert await found(bob, _MINE) == {0, 2, 4, 6, 8}
        assert await ada.update(_MINE, {"said": "hers"}, where=Everything()) == 5
        assert await bob.delete(_MINE, where=col("id") < 5) == 3
        [own] = await ada.insert(_MINE, [{"id": 100, "said": "new"}])
        assert own["owner"] == "ada"
        with pytest.raises(PermissionDenied):
            await ada.insert(_MINE, [{"id": 101, "owner": "bob", "said": "not hers"}])
        # The service is the service all the while, and so it is with many at once.
        counts = await asyncio.gather(
            *(found(one, _MINE) for one in (ada, bob, tables) for _ in range(5))
        )
        assert [len(ids) for ids in counts] == [6] * 5 + [2] * 5 + [8] * 5

    async def test_what_they_may_not_use_is_refused(
        self, tables: SupabaseTables, project: PostgrestServer
    ) -> None:
        anon = tables.as_user(project.keys.anon)
        with pytest.raises(PermissionDenied):
            await anon.select(_MINE)
        with pytest.raises(CredentialsRefused) as refused:
            await tables.as_user("a token of nobody's").select(_MINE)
        assert "a token" not in f"{refused.value!r} {refused.value.__cause__!r}"

    async def test_the_service_is_told_what_it_lacks(self, tables: SupabaseTables) -> None:
        with pytest.raises(CredentialsRefused, match="grant it") as refused:
            await tables.select(Table("hidden", {"id": Kind.INTEGER}, key="id"))
        assert refused.value.port == "tables"
        with pytest.raises(ConfigurationError, match=r"^tables: .*Exposed schemas"):
            await tables.select(Table("unexposed.notes", {"id": Kind.INTEGER}, key="id"))


class TestTheWire(InAProject):
    async def test_a_change_too_long_for_a_url_is_refused(
        self, tables: SupabaseTables, project: PostgrestServer
    ) -> None:
        await tables.insert(VALUES, [{"id": 1, "a_text": "x"}])
        asked = len(project.seen)
        where = col("a_text").is_in([f"text {number:050}" for number in range(500)])
        for step in (
            tables.delete(VALUES, where=where),
            tables.update(VALUES, {"a_text": "y"}, where=~where),
            tables.select(VALUES, where=~where),
            tables.select(VALUES, where=col("a_text") == "x" * 10_000),
        ):
            with pytest.raises(InvalidRequest) as refused:
                await step
            assert refused.value.code == "filter_too_long"
        assert len(project.seen) == asked
        assert await tables.delete(VALUES, where=col("id").is_in(range(900))) == 1

    async def test_the_client_never_loses_a_digit(self, tables: SupabaseTables) -> None:
        price = Decimal("12345678901234567890.12345678901234567891")
        [row] = await tables.insert(VALUES, [{"id": 1, "a_decimal": price}])
        assert row["a_decimal"] == price
        assert (await tables.select(VALUES, columns=["a_decimal"])).rows == ({"a_decimal": price},)

    @pytest.mark.parametrize("kind", [Kind.JSON, Kind.DECIMAL])
    async def test_single_values_that_are_in_doubt_are_refused(
        self, tables: SupabaseTables, kind: Kind
    ) -> None:
        with pytest.raises(Unsupported) as refused:
            await tables.call(Function(ADD.name, ADD.arguments, kind), {"a": 1, "b": 2})
        assert refused.value.code == "function_unsupported"

    async def test_another_kind_than_the_database_has_is_an_error(
        self, tables: SupabaseTables
    ) -> None:
        await tables.insert(NOTES, [a_note("text", rank=None)])
        for name, kind in [("title", Kind.INTEGER), ("title", Kind.TIME), ("title", Kind.BYTES)]:
            wrong = Table(NOTES.name, {"id": Kind.INTEGER, name: kind}, key="id")
            with pytest.raises(CorruptResponse) as refused:
                await tables.select(wrong)
            assert (refused.value.code, refused.value.port) == ("kind_mismatch", "tables")
        strict = Table(NOTES.name, {"id": Kind.INTEGER, "rank": Column(Kind.INTEGER)}, key="id")
        with pytest.raises(CorruptResponse, match="never null"):
            await tables.select(strict)

    async def test_it_says_how_it_is(
        self, tables: SupabaseTables, project: PostgrestServer
    ) -> None:
        assert (await tables.health()).startswith("Supabase; ")

    async def test_a_key_that_the_project_does_not_know_is_refused_at_the_start(
        self, project: PostgrestServer
    ) -> None:
        with pytest.raises(ConfigurationError, match=r"^tables: .*secret key") as refused:
            async with SupabaseTables.from_url(project.store_url(key="sb_secret_wrong")):
                pytest.fail("it was taken")
        assert refused.value.code == "key_refused"

    async def test_names_never_become_part_of_a_path(self, tables: SupabaseTables) -> None:
        for name in ("../auth/v1/admin", "notes?select=*", "rpc/contract_add", "a/b", "a%2fb"):
            with pytest.raises(InvalidRequest):
                Table(name, {"id": Kind.INTEGER}, key="id")
        with pytest.raises(NotFound):
            await tables.select(Table("rpc", {"id": Kind.INTEGER}, key="id"))


@pytest.mark.parametrize("key", ["anon", "sb_publishable_x", ""])
async def test_a_key_that_is_not_the_services_is_refused(
    project: PostgrestServer, key: str
) -> None:
    url = project.store_url(key=project.keys.anon if key == "anon" else key or "-")
    with pytest.raises(ConfigurationError, match=r"^tables: ") as refused:
        SupabaseTables.from_url(url)
    assert project.keys.anon not in str(refused.value)
