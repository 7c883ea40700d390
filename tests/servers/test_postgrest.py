"""The PostgREST-like server answers the unmodified supabase client, over a real database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from postgrest.exceptions import APIError
from supabase import AsyncClient, AsyncClientOptions

from tests.servers.postgres import run_sql
from tests.servers.postgrest import PostgrestServer, postgrest_server
from tests.servers.postgrest_database import project_database

pytestmark = pytest.mark.anyio
_TABLES = """
CREATE TABLE notes (
    id bigint PRIMARY KEY, title text NOT NULL UNIQUE, stars integer DEFAULT 3,
    at timestamptz DEFAULT '2001-01-01T00:00:00Z', tags text[] DEFAULT '{}', more jsonb,
    CHECK (stars >= 0));
CREATE TABLE secrets (owner text NOT NULL, text text NOT NULL);
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secrets TO authenticated
    USING (owner = auth.uid()) WITH CHECK (owner = auth.uid());
INSERT INTO secrets VALUES ('ann', 'hers'), ('bob', 'his');
CREATE FUNCTION add(a integer, b integer DEFAULT 1) RETURNS integer
    LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
CREATE FUNCTION titles(p_ids bigint[]) RETURNS SETOF text LANGUAGE sql STABLE
    AS 'SELECT title FROM notes WHERE id = ANY (p_ids) ORDER BY id';
CREATE FUNCTION best() RETURNS notes LANGUAGE sql STABLE
    AS 'SELECT * FROM notes ORDER BY stars DESC, id LIMIT 1';
CREATE FUNCTION rows_up_to(n integer) RETURNS TABLE (i integer) LANGUAGE sql STABLE
    AS 'SELECT generate_series(1, n)';
CREATE FUNCTION forget() RETURNS void LANGUAGE sql AS 'DELETE FROM notes';
CREATE FUNCTION refuse() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION USING ERRCODE = 'TK001', MESSAGE = 'no such thing', HINT = 'a hint'; END $$;
"""
NOTES: list[dict[str, Any]] = [
    {"id": 1, "title": "one, two", "stars": 5},
    {"id": 2, "title": 'a "quoted" (text)', "stars": None},
    {"id": 3, "title": "100%_\\ '; DROP TABLE notes; --", "stars": 1},
]


@pytest.fixture(scope="module")
def project() -> Iterator[PostgrestServer]:
    with project_database(migrated=False) as url:
        asyncio.run(run_sql(url, _TABLES))
        with postgrest_server(url, schemas=("public",), max_rows=50) as server:
            yield server


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


def client_of(
    project: PostgrestServer, http: httpx.AsyncClient, key: str, token: str | None = None
) -> AsyncClient:
    options = AsyncClientOptions(
        httpx_client=http, headers={"Authorization": f"Bearer {token or key}"}
    )
    return AsyncClient(project.url, key, options)


@pytest.fixture
async def client(project: PostgrestServer, http: httpx.AsyncClient) -> AsyncClient:
    made = client_of(project, http, project.keys.service)
    await made.rpc("forget", {}).execute()
    await made.table("notes").insert(NOTES).execute()
    return made


def ids(answer: Any) -> list[int]:
    return [row["id"] for row in answer.data]


async def test_rows_come_back_with_defaults_and_types(client: AsyncClient) -> None:
    row = (await client.table("notes").select("*").eq("id", 1).single().execute()).data
    at = "2001-01-01T00:00:00+00:00"
    assert row == {**NOTES[0], "at": at, "tags": [], "more": None}
    answer = await client.table("notes").select("name:title,stars::text").eq("id", 1).execute()
    assert answer.data == [{"name": "one, two", "stars": "5"}]


async def test_filters_choose_rows_whatever_their_values_hold(client: AsyncClient) -> None:
    notes = client.table("notes")
    for note in NOTES:
        assert ids(await notes.select("id").eq("title", note["title"]).execute()) == [note["id"]]
        chosen = await client.table("notes").select("id").in_("title", [note["title"]]).execute()
        assert ids(chosen) == [note["id"]]

    def asked() -> Any:
        return client.table("notes").select("id").order("id")

    for request, expected in (
        (asked().neq("id", 2), [1, 3]),
        (asked().gt("id", 1), [2, 3]),
        (asked().gte("id", 3), [3]),
        (asked().lt("id", 2), [1]),
        (asked().lte("id", 2), [1, 2]),
        (asked().is_("stars", None), [2]),
        (asked().not_.is_("stars", None), [1, 3]),
        (asked().like("title", "%two"), [1]),
        (asked().ilike("title", "*QUOTED*"), [2]),
        (asked().in_("id", [1, 3, 9]), [1, 3]),
        (asked().in_("id", []), []),
        (asked().contains("tags", []), [1, 2, 3]),
        (asked().or_("id.eq.1,and(id.gt.1,stars.is.null)"), [1, 2]),
        (asked().or_('title.eq."one, two",not.and(id.lt.3,id.gt.0)'), [1, 3]),
    ):
        assert ids(await request.execute()) == expected


async def test_order_pages_and_counts(client: AsyncClient) -> None:
    notes = client.table("notes")
    by_stars = await notes.select("id").order("stars", desc=True, nullsfirst=True).execute()
    assert ids(by_stars) == [2, 1, 3]
    page = client.table("notes").select("id", count="exact").order("id").range(1, 1)  # type: ignore[arg-type]
    answer = await page.execute()
    assert (ids(answer), answer.count) == ([2], 3)
    none = await client.table("notes").select("id", count="exact").eq("id", 9).execute()  # type: ignore[arg-type]
    assert (none.data, none.count) == ([], 0)


async def test_changes_say_what_they_changed(client: AsyncClient) -> None:
    notes = client.table("notes")
    changed = await notes.update({"stars": 4}).gt("id", 1).execute()
    assert sorted(ids(changed)) == [2, 3]
    assert ids(await client.table("notes").delete().eq("id", 3).execute()) == [3]
    rows = [{"id": 1, "title": "new", "stars": 2}, {"id": 7, "title": "seven", "stars": 2}]
    merged = await client.table("notes").upsert(rows).execute()
    assert sorted(ids(merged)) == [1, 7]
    ignored = client.table("notes").upsert(
        {"id": 8, "title": "seven"}, on_conflict="title", ignore_duplicates=True
    )
    assert (await ignored.execute()).data == []
    left = await client.table("notes").select("id,title").order("id").execute()
    assert [row["title"] for row in left.data] == ["new", NOTES[1]["title"], "seven"]  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    ("table", "row", "code"),
    [
        ("notes", {"id": 1, "title": "again"}, "23505"),
        ("notes", {"id": 9, "title": None}, "23502"),
        ("notes", {"id": 9, "title": "t", "stars": -1}, "23514"),
        ("notes", {"id": "nine", "title": "t"}, "22P02"),
        ("notes", {"id": 9, "title": "t", "colour": 1}, "42703"),
        ("nothing", {"id": 9}, "PGRST205"),
    ],
)
async def test_refusals_bear_the_codes_of_the_database(
    client: AsyncClient, table: str, row: dict[str, Any], code: str
) -> None:
    with pytest.raises(APIError) as caught:
        await client.table(table).insert(row).execute()
    assert caught.value.code == code


async def test_one_object_is_refused_where_there_is_none(client: AsyncClient) -> None:
    with pytest.raises(APIError) as caught:
        await client.table("notes").select("*").eq("id", 9).single().execute()
    assert caught.value.code == "PGRST116"


async def test_functions_are_called_by_the_names_of_their_arguments(client: AsyncClient) -> None:
    assert (await client.rpc("add", {"a": 2}).execute()).data == 3
    assert (await client.rpc("add", {"a": 2, "b": 5}, get=True).execute()).data == 7
    assert (await client.rpc("titles", {"p_ids": [1, 9]}).execute()).data == ["one, two"]
    best = (await client.rpc("best", {}).execute()).data
    assert best["id"] == 2  # type: ignore[index,call-overload]
    some = client.rpc("rows_up_to", {"n": 9}).gt("i", 6).order("i", desc=True)
    assert (await some.execute()).data == [{"i": 9}, {"i": 8}, {"i": 7}]
    assert (await client.rpc("forget", {}).execute()).data == []
    for name, arguments in (("add", {"c": 1}), ("add", {}), ("nothing", {})):
        with pytest.raises(APIError) as caught:
            await client.rpc(name, arguments).execute()
        assert caught.value.code == "PGRST202"


async def test_what_a_function_raises_comes_through(client: AsyncClient) -> None:
    with pytest.raises(APIError) as caught:
        await client.rpc("refuse", {}).execute()
    error = caught.value
    assert (error.code, error.message, error.hint) == ("TK001", "no such thing", "a hint")


async def test_no_answer_has_more_rows_than_the_limit(client: AsyncClient) -> None:
    answer = await client.rpc("rows_up_to", {"n": 60}, count="exact").execute()  # type: ignore[arg-type]
    assert (len(answer.data), answer.count) == (50, 60)  # type: ignore[arg-type]


async def test_row_level_security_decides_by_the_users_token(
    project: PostgrestServer, http: httpx.AsyncClient
) -> None:
    keys = project.keys
    ann = client_of(project, http, keys.publishable, keys.user("ann"))
    assert (await ann.table("secrets").select("text").execute()).data == [{"text": "hers"}]
    with pytest.raises(APIError) as caught:
        await ann.table("secrets").insert({"owner": "bob", "text": "x"}).execute()
    assert caught.value.code == "42501"
    nobody = client_of(project, http, keys.anon)
    assert (await nobody.table("secrets").select("*").execute()).data == []
    service = client_of(project, http, keys.secret)
    assert len((await service.table("secrets").select("*").execute()).data) == 2


async def test_keys_and_tokens_are_checked(
    project: PostgrestServer, http: httpx.AsyncClient
) -> None:
    keys = project.keys
    table = f"{project.url}/rest/v1/notes"
    for headers, code in (
        ({}, ""),
        ({"apikey": "sb_secret_wrong"}, ""),
        ({"apikey": keys.anon, "Authorization": "Bearer a.b.c"}, "PGRST301"),
        ({"apikey": keys.anon, "Authorization": f"Bearer {keys.user('a', lives=-1)}"}, "PGRST303"),
    ):
        answer = await http.get(table, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, code)
    hidden = await http.get(table, headers={"apikey": keys.anon, "Accept-Profile": "auth"})
    assert (hidden.status_code, hidden.json()["code"]) == (406, "PGRST106")


async def test_a_request_is_one_transaction_that_a_reader_cannot_change_in(
    project: PostgrestServer, client: AsyncClient
) -> None:
    rows = [{"id": 20, "title": "twenty"}, {"id": 1, "title": "taken"}]
    with pytest.raises(APIError):
        await client.table("notes").insert(rows).execute()
    assert ids(await client.table("notes").select("id").order("id").execute()) == [1, 2, 3]
    with pytest.raises(APIError) as caught:
        await client.rpc("forget", {}, get=True).execute()
    assert caught.value.code == "25006"
    assert project.running == 0
