"""Rows are read strictly: what is not of its type is an answer that nobody can trust."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.adapters.supabase_scripted import Scripted, connections, player, rows, scripted
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.ledger import SupabaseLedger
from tollkeeper.adapters.supabase.values import duration_text, read_rows
from tollkeeper.domain.errors import CorruptResponse
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


@pytest.mark.parametrize("verifiers", [["61"], ["\\x6"], ["\\xzz"], [1], "\\x61", [None]])
def test_bytes_that_are_none_are_noticed(verifiers: object) -> None:
    with pytest.raises(CorruptResponse):
        read_rows([{"verifiers": verifiers}], lambda row: row["verifiers"], port="store")
    right = read_rows([{"verifiers": ["\\x00ff"]}], lambda row: row["verifiers"], port="store")
    assert right == [[b"\x00\xff"]]
