"""Rows are read strictly: what is not of its type is an answer that nobody can trust."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.adapters.supabase_scripted import Scripted, connections, player, rows, scripted
from tollkeeper.adapters.sql.key_documents import key_document
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.credential_store import SupabaseCredentialStore
from tollkeeper.adapters.supabase.key_store import SupabaseKeyStore
from tollkeeper.adapters.supabase.ledger import SupabaseLedger
from tollkeeper.adapters.supabase.quota_counter import SupabaseQuotaCounter
from tollkeeper.adapters.supabase.values import duration_text, read_rows
from tollkeeper.contracts.samples import an_api_key, an_audit_entry
from tollkeeper.domain.errors import CorruptResponse
from tollkeeper.domain.key_limits import Quota
from tollkeeper.domain.money import Money

pytestmark = pytest.mark.anyio
__all__ = ["connections", "player", "scripted"]
NOW = datetime(2001, 1, 1, tzinfo=UTC)
HOLD = {
    "outcome": "replayed",
    "available": None,
    "id": "h",
    "account": "a",
    "currency": "USD",
    "amount": 1,
    "idempotency_key": "k",
    "purpose": "p",
    "placed_at": "2001-01-01T00:00:00+00",
    "expires_at": "2001-01-02T00:00:00+00:00",
    "state": "open",
    "captured": None,
    "resolved_at": None,
}


@pytest.mark.parametrize(
    "damage",
    [
        {"amount": "1"},
        {"amount": 1.0},
        {"amount": True},
        {"amount": -1},
        {"amount": None},
        {"account": 7},
        {"state": "sold"},
        {"currency": "usd?"},
        {"placed_at": 978_307_200},
        {"placed_at": "yesterday"},
        {"placed_at": "2001-01-01T00:00:00"},
        {"outcome": "unheard of"},
        {"outcome": None},
    ],
)
async def test_a_row_that_is_not_of_its_types_is_an_error(
    connections: SupabaseConnections, scripted: Scripted, damage: dict[str, Any]
) -> None:
    ledger = SupabaseLedger(connections)
    wanted: dict[str, Any] = {
        "hold_id": "new",
        "account": "a",
        "amount": Money(1, "USD"),
        "purpose": "p",
        "idempotency_key": "k",
        "expires_at": NOW + timedelta(days=1),
        "at": NOW,
    }
    scripted.plays = [rows(HOLD)]
    assert (await ledger.place_hold(**wanted)).id == "h"
    for found in ([{**HOLD, **damage}], [], [HOLD, HOLD], [{"outcome": "replayed"}]):
        scripted.plays = [rows(*found)]
        with pytest.raises(CorruptResponse):
            await ledger.place_hold(**wanted)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:00:00", timedelta(0)),
        ("00:00:01.5", timedelta(seconds=1.5)),
        ("100:00:00.000001", timedelta(hours=100, microseconds=1)),
        ("-00:00:01", timedelta(seconds=-1)),
        ("1 day", timedelta(days=1)),
        ("3 days 04:05:06.7", timedelta(days=3, hours=4, minutes=5, seconds=6.7)),
        ("-1 days +23:00:00", None),
        ("1 mon", None),
        ("PT1S", None),
        ("", None),
        (1, None),
    ],
)
def test_durations_are_read_as_the_database_writes_them(
    text: object, expected: timedelta | None
) -> None:
    def read() -> list[Any]:
        return read_rows([{"lasted": text}], lambda row: row["lasted"], port="store")

    if expected is None:
        with pytest.raises(CorruptResponse):
            read()
    else:
        assert read() == [expected]
        assert duration_text(expected) == f"{expected // timedelta(microseconds=1)} microseconds"


@pytest.mark.parametrize("mac", ["61", "\\x6", "\\xzz", 1, ["\\x61"], None])
def test_bytes_that_are_none_are_noticed(mac: object) -> None:
    with pytest.raises(CorruptResponse):
        read_rows([{"mac": mac}], lambda row: row["mac"], port="store")
    right = read_rows([{"mac": "\\x00ff"}], lambda row: row["mac"], port="store")
    assert right == [b"\x00\xff"]


KEY = an_api_key("a", at=NOW)


@pytest.mark.parametrize(
    "damage",
    [
        *({"version": "1"}, {"version": True}, {"name": None}, {"scopes": "chat"}),
        *({"scopes": [1]}, {"created_at": "2001-01-01T00:00:00"}, {"expires_at": 7}),
        *({"limits": None}, {"limits": [{}]}, {"networks": ["10.0.0.1/8"]}, {"metadata": []}),
        {"limits": [{"requests": 1, "period": 60_000_000, "on_outage": "never"}]},
        *({"metadata": {"a": 1}}, {"quota_calls": 0, "quota_period": "day"}),
        *({"quota_calls": 1, "quota_period": "year"}, {"seal": "61", "seal_pepper_id": "p"}),
        *({"seal": "\\x61", "seal_pepper_id": None}, {"secrets": None}),
        {"secrets": [{"kid": "k", "verifier": "61", "pepper_id": "p"}]},
    ],
)
async def test_a_key_that_is_not_of_its_types_is_an_error(
    connections: SupabaseConnections, scripted: Scripted, damage: dict[str, Any]
) -> None:
    store, document = SupabaseKeyStore(connections), key_document(KEY)
    scripted.plays = [rows({"document": document})]
    assert await store.find("kid") == KEY
    for found in ({"document": {**document, **damage}}, {"document": "{}"}, {"key": document}):
        scripted.plays = [rows(found)]
        with pytest.raises(CorruptResponse):
            await store.find("kid")


async def test_counts_that_are_none_are_an_error(
    connections: SupabaseConnections, scripted: Scripted
) -> None:
    counter, store = SupabaseQuotaCounter(connections), SupabaseCredentialStore(connections)
    audit = an_audit_entry("a", at=NOW)
    answers: list[list[dict[str, object]]] = [[], [{}], [{"taken": 1}], [{"forgotten": "1"}]]
    answers.append([{"taken": True}, {"taken": True}])
    for found in answers:
        scripted.plays = [rows(*found)]
        with pytest.raises(CorruptResponse):
            await counter.take("key", Quota(1), at=NOW)
        with pytest.raises(CorruptResponse):
            await store.forget("a", audit=audit)
    scripted.plays = [rows({"used": "1"})]
    with pytest.raises(CorruptResponse):
        await counter.used("key", Quota(1), at=NOW)
