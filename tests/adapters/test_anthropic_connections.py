"""The connections of Anthropic's adapter, as a real server sees them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from tests.adapters.anthropic_calls import KEY, anthropic_server, ask, asking, pieces, shows_nothing
from tests.servers.http_player import Play
from tests.servers.wire import scenarios
from tests.servers.wire_server import WireServer
from tollkeeper.adapters.anthropic.chat_model import AnthropicChatModel
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    CredentialsRefused,
    PoolExhausted,
    Rejected,
    Throttled,
    Unavailable,
    Unsupported,
)
from tollkeeper.domain.quirks import Quirks
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def shared() -> Iterator[WireServer]:
    with anthropic_server(api_key=None) as server:
        server.script("stall", scenarios.breaks("stall", 5))
        server.script("stall-at-once", scenarios.at_once("stall"))
        server.script("limited", scenarios.status(429))
        yield server


@pytest.fixture
def server(shared: WireServer) -> WireServer:
    shared.requests.clear()
    return shared


@pytest.fixture
async def chat_model(server: WireServer) -> AsyncIterator[AnthropicChatModel]:
    async with AnthropicChatModel(server.base_url, Secret(KEY)) as chat_model:
        yield chat_model


@BOTH
async def test_what_goes_out_is_the_request_and_the_key(
    chat_model: AnthropicChatModel, server: WireServer, streamed: bool
) -> None:
    quirks = Quirks(headers={"Anthropic-Beta": "context-1m"})
    await ask(chat_model, asking(quirks=quirks), streamed=streamed)
    assert (server.last.method, server.last.path) == ("POST", "/v1/messages")
    assert server.last.headers == {
        "host": server.base_url.removeprefix("http://"),
        "accept": "application/json",
        "accept-encoding": "identity",
        "connection": "keep-alive",
        "user-agent": "tollkeeper",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "context-1m",
        "content-type": "application/json",
        "content-length": str(len(server.last.body)),
        "x-api-key": KEY,
    }


async def test_connections_are_kept_for_the_next_call(
    chat_model: AnthropicChatModel, server: WireServer
) -> None:
    for model in ("echo", "limited", "echo"):
        for streamed in (True, False):
            with contextlib.suppress(Throttled):
                await ask(chat_model, asking(model), streamed=streamed)
    assert len({seen.connection for seen in server.requests}) == 1


async def test_an_answer_that_lingers_after_its_end_is_not_waited_for(
    chat_model: AnthropicChatModel, server: WireServer
) -> None:
    server.script("lingers", scenarios.breaks("stall", 100))
    async with asyncio.timeout(10):
        assert (await ask(chat_model, asking("lingers"), streamed=True)).text
    assert await server.last.has_ended()
    assert server.disconnects


@pytest.mark.parametrize("after", [1, 2])
async def test_closing_a_stream_closes_the_connection_to_the_provider(
    chat_model: AnthropicChatModel, server: WireServer, after: int
) -> None:
    async with contextlib.aclosing(chat_model.stream(asking("stall"))) as stream:
        for _ in range(after):
            await anext(stream)
    assert await server.last.has_ended(within=1)
    assert server.last.disconnected


@BOTH
@pytest.mark.parametrize("model", ["stall", "stall-at-once"])
async def test_cancelling_a_call_closes_the_connection_to_the_provider(
    chat_model: AnthropicChatModel, server: WireServer, model: str, streamed: bool
) -> None:
    task = asyncio.ensure_future(ask(chat_model, asking(model), streamed=streamed))
    while not server.requests:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await server.last.has_ended(within=1)
    assert server.last.disconnected


async def test_a_stream_that_is_never_started_sends_nothing(
    chat_model: AnthropicChatModel, server: WireServer
) -> None:
    stream = chat_model.stream(asking())
    await stream.aclose()
    assert server.requests == []


@BOTH
async def test_what_cannot_be_expressed_sends_nothing(
    chat_model: AnthropicChatModel, server: WireServer, streamed: bool
) -> None:
    with pytest.raises(Unsupported):
        await ask(chat_model, asking(extra={"speed": "fast"}), streamed=streamed)
    assert server.requests == []


@BOTH
async def test_what_was_dropped_is_told_with_the_answer(
    chat_model: AnthropicChatModel, streamed: bool
) -> None:
    request = asking(seed=7, on_unsupported="drop")
    (warning,) = (await ask(chat_model, request, streamed=streamed)).warnings
    assert "seed" in warning


async def test_a_place_that_stays_taken_is_an_error_and_is_given_back(server: WireServer) -> None:
    async with AnthropicChatModel(
        server.base_url, Secret(KEY), connections=1, connect_timeout=timedelta(seconds=0.3)
    ) as chat_model:
        stream = chat_model.stream(asking("stall"))
        await anext(stream)
        with pytest.raises(PoolExhausted) as raised:
            await chat_model.complete(asking())
        assert not raised.value.ambiguous
        waiting = asyncio.ensure_future(chat_model.complete(asking()))
        await asyncio.sleep(0)
        await stream.aclose()
        assert (await waiting).text
    assert len(server.requests) == 2, "the one that waited in vain sent nothing"


@BOTH
async def test_the_key_goes_to_no_address_that_a_redirect_names(
    chat_model: AnthropicChatModel, server: WireServer, streamed: bool
) -> None:
    elsewhere = {"location": server.base_url + "/elsewhere"}
    for status in (301, 302, 307, 308):
        play = Play((b"",), status=status, headers=elsewhere, framing="length")
        server.script("moved", lambda _, play=play: play)  # type: ignore[misc]
        with pytest.raises(CorruptResponse) as raised:
            await ask(chat_model, asking("moved"), streamed=streamed)
        assert raised.value.code == "redirect_refused"
    assert len(server.requests) == 4


async def test_no_cookie_is_kept(chat_model: AnthropicChatModel, server: WireServer) -> None:
    answer = scenarios.answered()

    def with_cookie(scene: scenarios.Scene) -> Play:
        body = scene.whole()
        return Play((body,), headers={"set-cookie": "tenant=a"}, framing="length")

    server.script("cookie", with_cookie)
    server.script("plain", answer)
    await chat_model.complete(asking("cookie"))
    await chat_model.complete(asking("plain"))
    assert "cookie" not in server.last.headers


async def test_a_long_answer_may_be_asked_for_in_one_piece(chat_model: AnthropicChatModel) -> None:
    """The SDK itself would insist on a stream."""
    assert (await chat_model.complete(asking(max_tokens=128_000))).text


async def test_health_asks_for_the_models(
    chat_model: AnthropicChatModel, server: WireServer
) -> None:
    assert server.base_url in await chat_model.health()
    assert (server.last.method, server.last.path) == ("GET", "/v1/models")
    assert server.last.headers["x-api-key"] == KEY
    assert "content-length" not in server.last.headers


async def test_health_tells_a_wrong_key_from_a_server_that_is_gone() -> None:
    with anthropic_server("sk-right") as server:
        base_url = server.base_url
        async with AnthropicChatModel(base_url, Secret(KEY)) as chat_model:
            with pytest.raises(CredentialsRefused) as raised:
                await chat_model.health()
            shows_nothing(raised.value)
        async with AnthropicChatModel(base_url + "/v2", Secret("sk-right")) as chat_model:
            assert await chat_model.health(), "a server without a list of models is there too"
        async with AnthropicChatModel(base_url) as chat_model:
            assert await chat_model.health(), "without a key of its own there is none to refuse"
    async with AnthropicChatModel(base_url, Secret("sk-right")) as chat_model:
        with pytest.raises(Unavailable):
            await chat_model.health()


async def test_a_closed_model_may_be_used_again(server: WireServer) -> None:
    chat_model = AnthropicChatModel(server.base_url, Secret(KEY))
    async with chat_model:
        await chat_model.complete(asking())
    assert (await chat_model.complete(asking())).text
    await chat_model.close()
    await chat_model.close()


def test_one_model_serves_one_loop_after_another(server: WireServer) -> None:
    chat_model = AnthropicChatModel(server.base_url, Secret(KEY))

    async def once() -> str:
        async with chat_model:
            return (await chat_model.complete(asking(text="Hi"))).text

    assert [asyncio.run(once()), asyncio.run(once())] == ["Hi", "Hi"]


async def test_one_model_is_not_shared_by_two_running_loops(
    chat_model: AnthropicChatModel,
) -> None:
    def elsewhere() -> None:
        asyncio.run(chat_model.complete(asking()))

    with pytest.raises(ConfigurationError, match="event loop"):
        await asyncio.to_thread(elsewhere)


async def test_a_stream_is_closed_with_its_model(server: WireServer) -> None:
    async with AnthropicChatModel(server.base_url, Secret(KEY)) as chat_model:
        stream = chat_model.stream(asking("stall"))
        await anext(stream)
    with pytest.raises((Unavailable, Rejected)) as raised:
        async for _ in stream:
            pass
    shows_nothing(raised.value)
    assert await server.last.has_ended()
    assert await pieces(chat_model, asking()), "it opens again"
    await chat_model.close()
