"""The connections of the OpenAI-wire chat model, as a real server sees them."""

import asyncio
import contextlib
import os
import subprocess
import sys
from datetime import timedelta

import pytest

from tests.adapters.openai_calls import asking_for as asking
from tests.adapters.openai_calls import streamed
from tests.servers.openai_server import OpenaiServer, openai_server
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    PoolExhausted,
    Throttled,
    Timeout,
    Unsupported,
)
from tollkeeper.domain.messages import ImagePart, user
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio

SOON = timedelta(seconds=0.15)


async def test_connections_are_kept_for_the_next_call(
    chat_model: OpenaiChatModel, server: OpenaiServer
) -> None:
    for model in ("echo", "keep-alive", "no-done", "status-429", "echo"):
        with contextlib.suppress(Throttled):
            await streamed(chat_model, asking(model))
        await chat_model.complete(asking("echo"))
    assert len({seen.connection for seen in server.requests}) == 1


async def test_an_answer_that_lingers_after_its_end_is_not_waited_for(
    chat_model: OpenaiChatModel, server: OpenaiServer
) -> None:
    async with asyncio.timeout(10):
        assert (await streamed(chat_model, asking("lingers"))).text
    assert await server.last.has_ended()
    assert server.disconnects


@pytest.mark.parametrize("after", [1, 2, 3])
async def test_closing_a_stream_closes_the_connection_to_the_provider(
    chat_model: OpenaiChatModel, server: OpenaiServer, after: int
) -> None:
    async with contextlib.aclosing(chat_model.stream(asking("stall"))) as stream:
        for _ in range(after):
            await anext(stream)
    assert await server.last.has_ended()
    assert server.last.disconnected


@pytest.mark.parametrize("model", ["stall", "stall-at-once", "slow"])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "streamed"])
async def test_cancelling_a_call_closes_the_connection_to_the_provider(
    chat_model: OpenaiChatModel, server: OpenaiServer, model: str, whole: bool
) -> None:
    call = chat_model.complete if whole else (lambda request: streamed(chat_model, request))
    task = asyncio.ensure_future(call(asking(model, "word " * 40)))
    while not server.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await server.last.has_ended()
    assert server.last.disconnected


async def test_a_stream_that_is_never_started_sends_nothing(
    chat_model: OpenaiChatModel, server: OpenaiServer
) -> None:
    stream = chat_model.stream(asking("echo"))
    await stream.aclose()
    assert server.requests == []


async def test_what_cannot_be_expressed_sends_nothing(
    chat_model: OpenaiChatModel, server: OpenaiServer
) -> None:
    request = asking("echo", extra={"n": 5})
    with pytest.raises(Unsupported):
        await chat_model.complete(request)
    with pytest.raises(Unsupported):
        await streamed(chat_model, request)
    assert server.requests == []


async def test_a_place_that_stays_taken_is_an_error_and_is_given_back(
    server: OpenaiServer,
) -> None:
    async with OpenaiChatModel(
        server.base_url, connections=1, connect_timeout=timedelta(seconds=0.3)
    ) as chat_model:
        stream = chat_model.stream(asking("stall"))
        await anext(stream)
        with pytest.raises(PoolExhausted) as raised:
            await chat_model.complete(asking("echo"))
        assert not raised.value.ambiguous
        waiting = asyncio.ensure_future(chat_model.complete(asking("echo")))
        await asyncio.sleep(0)
        await stream.aclose()
        assert (await waiting).text
    assert len(server.requests) == 2, "the one that waited in vain sent nothing"


async def test_a_stream_lives_as_long_as_it_says_something(server: OpenaiServer) -> None:
    """Thirty words with 20 ms between them take longer than a stream may be silent."""
    idle = timedelta(seconds=0.5)
    async with OpenaiChatModel(server.base_url, idle_timeout=idle, total_timeout=SOON) as model:
        assert len((await streamed(model, asking("slow", "w " * 30))).text.split()) == 30
        with pytest.raises(Timeout) as raised:
            await model.complete(asking("slow"))
        assert raised.value.ambiguous


async def test_a_large_request_is_sent_whole(
    chat_model: OpenaiChatModel, server: OpenaiServer
) -> None:
    image = ImagePart(data=os.urandom(2_000_000))
    request = ChatRequest("echo", (user(["Look:", image]),), 64)
    assert "Look:" in (await chat_model.complete(request)).text
    assert len(server.last.body) > 2_600_000


async def test_the_key_goes_to_no_address_that_a_redirect_names(
    chat_model: OpenaiChatModel, server: OpenaiServer
) -> None:
    for model in ("status-301", "status-302", "status-307", "status-308"):
        with pytest.raises(CorruptResponse) as raised:
            await chat_model.complete(asking(model))
        assert raised.value.code == "redirect_refused"
    assert len(server.requests) == 4


async def test_two_models_with_two_keys_never_mix() -> None:
    with openai_server(api_key="sk-a") as a, openai_server(api_key="sk-b") as b:
        async with (
            OpenaiChatModel(a.base_url, Secret("sk-a")) as model_a,
            OpenaiChatModel(b.base_url, Secret("sk-b")) as model_b,
        ):
            calls = [m.complete(asking("echo")) for _ in range(10) for m in (model_a, model_b)]
            await asyncio.gather(*calls)
        for server, key in ((a, "sk-a"), (b, "sk-b")):
            assert len(server.requests) == 10
            assert {r.headers["authorization"] for r in server.requests} == {f"Bearer {key}"}


async def test_without_a_key_none_is_sent(server: OpenaiServer) -> None:
    async with OpenaiChatModel(server.base_url) as chat_model:
        await chat_model.complete(asking("echo"))
    assert "authorization" not in server.last.headers


def test_the_environment_gives_neither_key_nor_proxy_nor_address(server: OpenaiServer) -> None:
    script = """
import asyncio, sys
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.messages import user
async def main():
    async with OpenaiChatModel(sys.argv[1]) as model:
        print((await model.complete(ChatRequest("echo", (user("Hello"),), 5))).text)
asyncio.run(main())
"""
    nowhere = "http://127.0.0.1:9"
    environ = os.environ | {
        "OPENAI_API_KEY": "sk-of-somebody-else",
        "OPENAI_BASE_URL": nowhere,
        "HTTP_PROXY": nowhere,
        "http_proxy": nowhere,
        "ALL_PROXY": nowhere,
    }
    done = subprocess.run(
        [sys.executable, "-c", script, server.base_url],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("Hello\n", "")
    assert "authorization" not in server.last.headers


async def test_a_closed_model_may_be_used_again(server: OpenaiServer) -> None:
    chat_model = OpenaiChatModel(server.base_url)
    async with chat_model:
        await chat_model.complete(asking("echo"))
    assert (await chat_model.complete(asking("echo"))).text
    await chat_model.close()
    await chat_model.close()


def test_one_model_serves_one_loop_after_another(server: OpenaiServer) -> None:
    chat_model = OpenaiChatModel(server.base_url)

    async def once() -> str:
        async with chat_model:
            return (await chat_model.complete(asking("echo", "Hi"))).text

    assert [asyncio.run(once()), asyncio.run(once())] == ["Hi", "Hi"]


async def test_one_model_is_not_shared_by_two_running_loops(chat_model: OpenaiChatModel) -> None:
    def elsewhere() -> None:
        asyncio.run(chat_model.complete(asking("echo")))

    with pytest.raises(ConfigurationError, match="event loop"):
        await asyncio.to_thread(elsewhere)
