"""What a project, or what stands before it, answers becomes a typed error that tells no secret."""

import time
import traceback
from datetime import timedelta
from typing import Any

import pytest

from tests.adapters.supabase_projects import until_free
from tests.adapters.supabase_scripted import (
    CANARY,
    KEY,
    Scripted,
    connections,
    player,
    refusal,
    rows,
    scripted,
)
from tests.servers.http_player import HttpPlayer, Play
from tests.servers.postgrest_keys import Keys
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.domain.errors import (
    ConfigurationError,
    Conflict,
    CorruptResponse,
    CredentialsRefused,
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PoolExhausted,
    PortError,
    Rejected,
    Throttled,
    Timeout,
    TollkeeperError,
    Unavailable,
)

pytestmark = pytest.mark.anyio
__all__ = ["connections", "player", "scripted"]


async def call(connections: SupabaseConnections, effect: Effect = Effect.CHANGES) -> Any:
    return await connections.call("balance_of", {}, effect=effect)


def told(error: BaseException) -> str:
    """All that a log may show of *error*, its causes included."""
    return "".join(traceback.format_exception(error)) + repr(vars(error)) + repr(error.__cause__)


REFUSALS = [
    *((409, "23505", Conflict, False), (400, "22P02", InvalidRequest, False)),
    *((400, "21000", InvalidRequest, False), (409, "23503", InvalidRequest, False)),
    *((403, "42501", ConfigurationError, False), (404, "PGRST202", ConfigurationError, False)),
    *((406, "PGRST106", ConfigurationError, False), (406, "PGRST116", NotFound, False)),
    *((401, "PGRST301", CredentialsRefused, False), (401, "PGRST303", CredentialsRefused, False)),
    *((504, "PGRST003", PoolExhausted, False), (503, "PGRST000", Unavailable, False)),
    *((503, "PGRST001", Unavailable, True), (503, "PGRST002", Unavailable, False)),
    *((500, "40001", Unavailable, False), (500, "40P01", Unavailable, False)),
    *((500, "57014", Timeout, False), (503, "57P01", Unavailable, True)),
    *((503, "53300", PoolExhausted, False), (503, "53100", Unavailable, False)),
    *((405, "25006", Unavailable, False), (500, "58030", Unavailable, True)),
    *((500, "XX001", CorruptResponse, False), (403, "28000", CredentialsRefused, False)),
    *((400, "P0001", Rejected, False), (400, "PGRST100", Rejected, False)),
    *((401, "", CredentialsRefused, False), (403, "", ConfigurationError, False)),
    *((404, "", Rejected, False), (429, "", Throttled, False), (408, "", Timeout, True)),
    *((500, "", Unavailable, True), (502, "", Unavailable, True), (503, "", Unavailable, False)),
    *((504, "", Timeout, True), (302, "", Rejected, False)),
]


@pytest.mark.parametrize(("status", "code", "kind", "ambiguous"), REFUSALS)
async def test_each_refusal_is_of_its_kind_and_tells_no_secret(
    connections: SupabaseConnections,
    scripted: Scripted,
    status: int,
    code: str,
    kind: type[TollkeeperError],
    ambiguous: bool,
) -> None:
    scripted.plays = [refusal(status, code)]
    with pytest.raises(kind) as caught:
        await call(connections)
    error = caught.value
    assert type(error) is kind
    assert CANARY not in told(error)
    assert KEY not in told(error)
    assert code in repr(error.__cause__)
    if isinstance(error, PortError):
        assert (error.port, error.adapter) == ("store", "supabase")
        assert (error.provider_code, error.status) == (code, status)
        assert error.ambiguous is ambiguous


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("TK001", NotFound),
        ("TK002", Conflict),
        ("TK003", IdempotencyConflict),
        ("TK004", InvalidRequest),
    ],
)
async def test_what_our_functions_say_is_said(
    connections: SupabaseConnections, scripted: Scripted, code: str, kind: type[TollkeeperError]
) -> None:
    scripted.plays = [refusal(400, code, message="no such key", hint="key_not_found")]
    with pytest.raises(kind) as caught:
        await call(connections)
    assert (caught.value.code, caught.value.public_message) == ("key_not_found", "no such key")


async def test_a_user_who_may_not_is_told_so(
    connections: SupabaseConnections, scripted: Scripted
) -> None:
    scripted.plays = [refusal(403, "42501")]
    with pytest.raises(PermissionDenied):
        await connections.as_user(Keys().user("ann")).call("f", {}, effect=Effect.READS)


@pytest.mark.parametrize(
    "play",
    [
        Play((b'[{"posted": 1',)),
        Play((b"",)),
        Play((b"<html>all is well</html>",), content_type="text/html"),
        Play((b"\xff\xfe",)),
        Play((b"[" * 100_000,)),
        Play((b"[1, 2]",), headers={"Content-Range": "0-1/2"}),
        Play((b'{"posted": 1}',), headers={"Content-Range": "0-0/1"}),
        Play((b"[{}]",)),
        Play((b"[{}]",), headers={"Content-Range": "0-0/0"}),
        Play((b"[{}]",), headers={"Content-Range": "0-0/many"}),
        Play((b"[{}]",), headers={"Content-Encoding": "gzip"}),
        Play((b"[{}",), ending="cut", framing="length"),
    ],
)
async def test_a_success_that_is_none_is_an_error(
    connections: SupabaseConnections, scripted: Scripted, play: Play
) -> None:
    scripted.plays = [play]
    with pytest.raises(PortError) as caught:
        await call(connections)
    assert isinstance(caught.value, CorruptResponse | Unavailable)
    assert caught.value.ambiguous


async def test_rows_that_the_server_left_out_are_noticed(
    connections: SupabaseConnections, scripted: Scripted
) -> None:
    scripted.plays = [rows({"posted": 1}, total=2, status=206)]
    with pytest.raises(Rejected) as caught:
        await call(connections)
    assert caught.value.code == "rows_left_out"
    assert "Max rows" in caught.value.public_message


async def test_what_reads_is_asked_again_and_what_may_be_done_is_not(
    connections: SupabaseConnections, scripted: Scripted, player: HttpPlayer
) -> None:
    for effect, first, asked in (
        (Effect.READS, refusal(502), 2),
        (Effect.REPEATS, refusal(502), 2),
        (Effect.CHANGES, refusal(502), 1),
        (Effect.CHANGES, refusal(503), 2),
        (Effect.CHANGES, refusal(500, "40001"), 2),
        (Effect.READS, refusal(404), 1),
    ):
        player.requests.clear()
        scripted.plays = [first, rows({"posted": 1})]
        if asked == 1:
            with pytest.raises(PortError):
                await call(connections, effect)
        else:
            assert await call(connections, effect) == [{"posted": 1}]
        assert len(player.requests) == asked


async def test_a_doubt_stays_whatever_the_next_try_says(
    connections: SupabaseConnections, scripted: Scripted
) -> None:
    scripted.plays = [refusal(502), refusal(401)]
    with pytest.raises(CredentialsRefused) as caught:
        await call(connections, Effect.REPEATS)
    assert caught.value.ambiguous


async def test_a_wait_that_outlasts_the_deadline_is_not_waited_for(
    connections: SupabaseConnections, scripted: Scripted
) -> None:
    limited = refusal(429)
    scripted.plays = [Play(limited.packets, status=429, headers={"Retry-After": "30"})]
    began = time.monotonic()
    with pytest.raises(Throttled) as caught:
        await call(connections)
    assert caught.value.retry_after == timedelta(seconds=30)
    assert time.monotonic() - began < 1


async def test_a_server_that_says_nothing_is_given_up_in_time_and_then_left_alone(
    connections: SupabaseConnections, scripted: Scripted, player: HttpPlayer
) -> None:
    scripted.plays = [Play(head=False, ending="stall")]
    for _ in range(5):
        began = time.monotonic()
        with pytest.raises(Timeout) as caught:
            await call(connections)
        assert caught.value.ambiguous
        assert time.monotonic() - began < 3
    player.requests.clear()
    with pytest.raises(Unavailable) as left_alone:
        await call(connections)
    assert left_alone.value.code == "circuit_open"
    assert left_alone.value.retry_after
    assert player.requests == []
    await until_free(connections)
