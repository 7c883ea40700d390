"""Tokens that are made of SQL go to Supabase as JSON in the body of a request, nowhere else."""

import json
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from tests.adapters.supabase_scripted import Scripted, connections, player, refusal, rows, scripted
from tests.servers.http_player import HttpPlayer
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.key_store import SupabaseKeyStore
from tollkeeper.adapters.supabase.quota_counter import SupabaseQuotaCounter
from tollkeeper.domain.errors import NotFound, TollkeeperError
from tollkeeper.domain.key_limits import Quota

pytestmark = pytest.mark.anyio
__all__ = ["connections", "player", "scripted"]
NOW = datetime(2001, 1, 1, tzinfo=UTC)
CANARY = "c4n4ry"
PAYLOADS = [
    f"{CANARY}' OR '1'='1",
    f"{CANARY}&or=(id.gt.0)",
    f"../{CANARY}?select=*",
    f"{CANARY}\r\nX-Role: owner",
    f"{CANARY}%00%27; DROP TABLE api_keys; --",
]


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_payloads_stand_in_the_body_alone(
    connections: SupabaseConnections, scripted: Scripted, player: HttpPlayer, payload: str
) -> None:
    """No token, id or account becomes part of an address or a header (T6)."""
    keys = SupabaseKeyStore(connections)
    scripted.plays = [rows()]
    assert await keys.find(payload) is None
    assert await keys.list(account=payload, after=payload) == ()
    assert await keys.page(after=payload) == ()
    with pytest.raises(NotFound):
        await keys.get(account=payload, key_id=payload)
    await SupabaseQuotaCounter(connections).used(payload, Quota(1), at=NOW)
    assert len(player.requests) == 5
    for seen in player.requests:
        assert CANARY in str(json.loads(seen.body))
        assert CANARY not in unquote(seen.path) + str(seen.headers)


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_a_refusal_tells_nothing_of_the_payload(
    connections: SupabaseConnections, scripted: Scripted, payload: str
) -> None:
    """Nor does the error of a server that quotes it (T6, the error path)."""
    for status, code in ((400, "22P02"), (500, "XX000"), (404, "PGRST202"), (403, "42501")):
        scripted.plays = [refusal(status, code, message=payload, details=payload, hint=payload)]
        with pytest.raises(TollkeeperError) as refused:
            await SupabaseKeyStore(connections).find(payload)
        error = refused.value
        assert CANARY not in repr((error, vars(error), error.__cause__)) + str(error)
