"""How answers break, and what the adapter makes of it, on a real server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from tests.adapters.anthropic_calls import (
    KEY,
    TEXT,
    anthropic_server,
    ask,
    asking,
    came_before,
    pieces,
    shows_nothing,
)
from tests.servers.http_player import Ending, Play
from tests.servers.wire import SECRET_WORDS, Answer, scenarios
from tests.servers.wire.scenarios import Scenario
from tests.servers.wire_server import WireServer
from tollkeeper.adapters.anthropic.chat_model import AnthropicChatModel
from tollkeeper.domain.errors import (
    CorruptResponse,
    PortError,
    Timeout,
    Unavailable,
)
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
SOON = timedelta(seconds=0.3)


@pytest.fixture(scope="module")
def shared() -> Iterator[WireServer]:
    with anthropic_server() as server:
        yield server


@pytest.fixture
def server(shared: WireServer) -> WireServer:
    shared.requests.clear()
    return shared


@pytest.fixture
async def chat_model(server: WireServer) -> AsyncIterator[AnthropicChatModel]:
    async with AnthropicChatModel(server.base_url, Secret(KEY)) as chat_model:
        yield chat_model


@pytest.fixture
async def hasty(server: WireServer) -> AsyncIterator[AnthropicChatModel]:
    """One that waits for next to nothing."""
    async with AnthropicChatModel(
        server.base_url, Secret(KEY), idle_timeout=SOON, total_timeout=SOON
    ) as chat_model:
        yield chat_model


@pytest.mark.parametrize("k", range(8))
@pytest.mark.parametrize("ending", ["cut", "reset", "whole", "stall"])
async def test_a_stream_that_breaks_after_any_event_is_an_error_after_all_that_came(
    hasty: AnthropicChatModel, server: WireServer, ending: Ending, k: int
) -> None:
    """Nine events: start, block, ping, three words and a mark, end of block, reason, stop."""
    expected = {"cut": Unavailable, "reset": Unavailable, "whole": CorruptResponse}
    server.script("breaks", scenarios.breaks(ending, k))
    with pytest.raises(PortError) as raised:
        await ask(hasty, asking("breaks"), streamed=True)
    assert type(raised.value) is expected.get(ending, Timeout)
    assert raised.value.ambiguous is (ending != "whole")
    assert TEXT.startswith(came_before(raised.value))
    assert len(came_before(raised.value).split()) == max(0, min(k - 3, 4))
    shows_nothing(raised.value)
    assert await server.last.has_ended(), "the connection is closed"


@pytest.mark.parametrize("ending", ["cut", "reset", "stall"])
async def test_a_whole_answer_that_breaks_off_is_an_error(
    hasty: AnthropicChatModel, server: WireServer, ending: Ending
) -> None:
    for scenario in (scenarios.breaks(ending), scenarios.at_once(ending)):
        server.script("breaks", scenario)
        for streamed in (False, True):
            with pytest.raises((Unavailable, Timeout)) as raised:
                await ask(hasty, asking("breaks"), streamed=streamed)
            assert raised.value.ambiguous
            assert isinstance(raised.value, Timeout) is (ending == "stall")
            shows_nothing(raised.value)


async def test_a_clean_end_before_the_terminal_event_is_an_error(
    chat_model: AnthropicChatModel, server: WireServer
) -> None:
    server.script("ends", scenarios.without_terminal_event())
    with pytest.raises(CorruptResponse) as raised:
        await ask(chat_model, asking("ends"), streamed=True)
    assert came_before(raised.value) == TEXT


def _raw(body: bytes) -> Scenario:
    return lambda _: scenarios.body_play(body)


def _packet(packet: bytes) -> Scenario:
    return lambda _: Play((packet,), raw=True)


NO_ANSWERS = {
    "no JSON": scenarios.invalid_json(4),
    "no UTF-8": scenarios.invalid_utf8(),
    "a web page": scenarios.html(),
    "an empty object": _raw(b"{}"),
    "a list": _raw(b"[]"),
    "no reason": _raw(b'{"type": "message", "content": [], "stop_reason": null}'),
    "a call without a name": _raw(
        b'{"content": [{"type": "tool_use", "id": "a"}], "stop_reason": "tool_use"}'
    ),
    "arguments that are no UTF-8": _raw(
        b'{"content": [{"type": "tool_use", "id": "a", "name": "b", "input": {"a": "\xff"}}],'
        b' "stop_reason": "tool_use"}'
    ),
    "half a letter": _raw(
        b'{"content": [{"type": "thinking", "thinking": "\\ud800"}], "stop_reason": "end_turn"}'
    ),
    "deep nesting": _raw(b'{"content": ' + b"[" * 100_000),
    "no HTTP": _packet(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "a broken chunk": _packet(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        b"transfer-encoding: chunked\r\n\r\nzz\r\n"
    ),
    "no gzip": lambda _: Play((b"{}",), headers={"content-encoding": "gzip"}),
}


@BOTH
@pytest.mark.parametrize("what", NO_ANSWERS)
async def test_what_breaks_the_format_is_an_error(
    chat_model: AnthropicChatModel, server: WireServer, what: str, streamed: bool
) -> None:
    server.script("breaks", NO_ANSWERS[what])
    with pytest.raises(CorruptResponse) as raised:
        await ask(chat_model, asking("breaks"), streamed=streamed)
    shows_nothing(raised.value)
    assert await server.last.has_ended()


async def test_an_answer_has_a_largest_size(server: WireServer) -> None:
    server.script("big", scenarios.big_answer(300_000, 1_000))
    async with AnthropicChatModel(
        server.base_url, Secret(KEY), largest_response=100_000
    ) as chat_model:
        for streamed in (False, True):
            with pytest.raises(CorruptResponse):
                await ask(chat_model, asking("big"), streamed=streamed)
            assert await server.last.has_ended()


async def test_an_endless_event_is_an_error(
    chat_model: AnthropicChatModel, server: WireServer
) -> None:
    server.script("endless", lambda _: scenarios.stream(b"data: ", *[b"x" * 2**20] * 17))
    with pytest.raises(CorruptResponse):
        await pieces(chat_model, asking("endless"))


@BOTH
async def test_large_gzipped_and_shredded_answers_are_read(
    chat_model: AnthropicChatModel, server: WireServer, streamed: bool
) -> None:
    server.script("big", scenarios.big_answer())
    assert len((await ask(chat_model, asking("big"), streamed=streamed)).text) == 10_000_000
    server.script("many", scenarios.many_chunks())
    assert len((await ask(chat_model, asking("many"), streamed=streamed)).text.split()) == 10_000
    for scenario in (scenarios.gzipped(), scenarios.every_byte()):
        server.script("odd", scenario)
        answer = await ask(chat_model, asking("odd"), streamed=streamed)
        assert answer.text == TEXT
        assert answer.usage is not None


async def test_a_stream_lives_as_long_as_it_says_something(
    hasty: AnthropicChatModel, server: WireServer
) -> None:
    """Pings count: they come apart by less than the idle timeout, for longer than it."""
    ping = b'event: ping\ndata: {"type": "ping"}\n\n'

    def slowly(scene: scenarios.Scene) -> Play:
        events = scene.events(Answer(text=("late",)))
        waiting = [part for _ in range(6) for part in (0.1, ping)]
        return scenarios.stream(*events[:2], *waiting, *events[2:])

    server.script("slow", slowly)
    assert (await ask(hasty, asking("slow"), streamed=True)).text == "late"
    server.script("slow", scenarios.slow_headers(2.0))
    with pytest.raises(Timeout) as raised:
        await hasty.complete(asking("slow"))
    assert raised.value.ambiguous
    shows_nothing(raised.value)


@BOTH
async def test_a_server_that_is_not_there_is_unavailable_and_nothing_was_sent(
    streamed: bool,
) -> None:
    with anthropic_server() as gone:
        base_url = gone.base_url
    async with AnthropicChatModel(base_url, Secret(KEY)) as chat_model:
        with pytest.raises(Unavailable) as raised:
            await ask(chat_model, asking(), streamed=streamed)
    assert not raised.value.ambiguous
    shows_nothing(raised.value)


async def test_a_server_without_tls_is_told_apart(server: WireServer) -> None:
    base_url = server.base_url.replace("http://", "https://")
    async with AnthropicChatModel(base_url, Secret(KEY)) as chat_model:
        with pytest.raises(Unavailable) as raised:
            await chat_model.complete(asking())
    assert raised.value.code == "tls_failed"
    shows_nothing(raised.value)


async def test_the_end_of_an_error_is_not_waited_for(
    chat_model: AnthropicChatModel, server: WireServer
) -> None:
    body = b'{"type": "error", "error": {"type": "api_error", "message": "' + b"x" * 500_000
    server.script("fails", lambda _: Play((body,), status=500, ending="stall"))
    async with asyncio.timeout(4):
        with pytest.raises(Unavailable) as raised:
            await chat_model.complete(asking("fails"))
    assert SECRET_WORDS not in str(raised.value)
