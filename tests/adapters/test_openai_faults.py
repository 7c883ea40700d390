"""Every way in which a provider fails, played by a real server, and the error it becomes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from tests.adapters.openai_calls import KEY, ask, asking, shows_nothing
from tests.servers.openai_answers import chunk, event
from tests.servers.openai_server import OpenaiServer, Play, openai_server
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.domain.completion_builder import CompletionBuilder
from tollkeeper.domain.completions import FinishReason
from tollkeeper.domain.errors import (
    CorruptResponse,
    PortError,
    Timeout,
    Unavailable,
)
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio

WHOLE, STREAMED = False, True
BOTH = pytest.mark.parametrize("streamed", [WHOLE, STREAMED], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def server() -> Iterator[OpenaiServer]:
    with openai_server() as server:
        yield server


@pytest.fixture
async def chat_model(server: OpenaiServer) -> AsyncIterator[OpenaiChatModel]:
    async with OpenaiChatModel(
        server.base_url,
        Secret(KEY),
        idle_timeout=timedelta(seconds=10),
        total_timeout=timedelta(seconds=10),
        largest_response=1_000_000,
    ) as chat_model:
        yield chat_model


@pytest.fixture
async def hasty(server: OpenaiServer) -> AsyncIterator[OpenaiChatModel]:
    """Give up soon on a server that stays silent."""
    soon = timedelta(seconds=0.15)
    async with OpenaiChatModel(
        server.base_url, Secret(KEY), idle_timeout=soon, total_timeout=soon
    ) as chat_model:
        yield chat_model


# How the model misbehaves: the error, whether the work may be done, and the text before it.
BREAKS: dict[tuple[str, bool], tuple[type[PortError], bool, str]] = {
    ("reset-at-once", WHOLE): (Unavailable, True, ""),
    ("reset-at-once", STREAMED): (Unavailable, True, ""),
    ("cut-at-once", WHOLE): (Unavailable, True, ""),
    ("cut-at-once", STREAMED): (Unavailable, True, ""),
    ("stall-at-once", WHOLE): (Timeout, True, ""),
    ("stall-at-once", STREAMED): (Timeout, True, ""),
    ("reset", WHOLE): (Unavailable, True, ""),
    ("reset", STREAMED): (Unavailable, True, "Grüezi 世界"),
    ("cut", WHOLE): (Unavailable, True, ""),
    ("cut", STREAMED): (Unavailable, True, "Grüezi 世界"),
    ("stall", WHOLE): (Timeout, True, ""),
    ("stall", STREAMED): (Timeout, True, "Grüezi 世界"),
    ("early-end", WHOLE): (CorruptResponse, False, ""),
    ("early-end", STREAMED): (CorruptResponse, False, "Grüezi 世界"),
    ("invalid-json", WHOLE): (CorruptResponse, False, ""),
    ("invalid-json", STREAMED): (CorruptResponse, False, ""),
    ("no-choices", WHOLE): (CorruptResponse, False, ""),
    ("no-choices", STREAMED): (CorruptResponse, False, ""),
    ("empty-choices", WHOLE): (CorruptResponse, False, ""),
    ("empty-choices", STREAMED): (CorruptResponse, False, ""),
    ("no-reason", WHOLE): (CorruptResponse, False, ""),
    ("no-reason", STREAMED): (CorruptResponse, False, "Hello"),
    ("html", WHOLE): (CorruptResponse, False, ""),
    ("html", STREAMED): (CorruptResponse, False, ""),
    ("not-http", WHOLE): (CorruptResponse, False, ""),
    ("not-http", STREAMED): (CorruptResponse, False, ""),
    ("bad-chunk", WHOLE): (CorruptResponse, False, ""),
    ("bad-chunk", STREAMED): (CorruptResponse, False, ""),
    ("bad-later-chunk", WHOLE): (Timeout, True, ""),
    ("bad-later-chunk", STREAMED): (Timeout, True, ""),
    ("fault-inside", WHOLE): (Unavailable, False, ""),
    ("fault-inside", STREAMED): (Unavailable, True, "Grüezi 世界"),
    ("endless-line", STREAMED): (CorruptResponse, False, "Grüezi"),
}


@pytest.mark.parametrize(("model", "streamed"), BREAKS)
async def test_an_answer_that_breaks_is_an_error_after_all_that_came(
    chat_model: OpenaiChatModel,
    hasty: OpenaiChatModel,
    server: OpenaiServer,
    model: str,
    streamed: bool,
) -> None:
    expected, ambiguous, before = BREAKS[model, streamed]
    with pytest.raises(PortError) as raised:
        await ask(hasty if expected is Timeout else chat_model, model, streamed=streamed)
    assert type(raised.value) is expected
    assert raised.value.ambiguous is ambiguous
    assert "".join(getattr(raised.value, "__notes__", [])) == before
    shows_nothing(raised.value)
    assert await server.last.has_ended(), "the connection is closed"


async def test_a_slow_reader_loses_nothing_that_came_before_a_break(
    chat_model: OpenaiChatModel, server: OpenaiServer
) -> None:
    """The second word and the break are both there before the reader asks for more."""
    words = [event(chunk({"content": word})) for word in ("one ", "two")]
    server.plays["two-words"] = lambda _: Play(
        (words[0], 0.1, words[1], 0.02), content_type="text/event-stream", ending="reset"
    )
    builder = CompletionBuilder()
    with pytest.raises(Unavailable):  # noqa: PT012 - what is seen before counts too
        async for delta in chat_model.stream(asking("two-words")):
            builder.add(delta)
            await server.last.has_ended()
            await asyncio.sleep(0.05)
    assert builder.build().text == "one two"


WHOLE_ANSWERS = {
    "every-byte": True,
    "no-done": True,
    "no-last-line-end": True,
    "lingers": True,
    "keep-alive": True,
    "crlf": True,
    "not-streamed": True,
    "slow": True,
    "usage-everywhere": True,
    "usage-absent": False,
    "usage-null": False,
    "reset-after-reason": False,
}


@pytest.mark.parametrize("model", WHOLE_ANSWERS)
async def test_an_odd_but_whole_answer_is_read_to_its_end(
    chat_model: OpenaiChatModel, model: str
) -> None:
    answer = await ask(chat_model, model, streamed=True)
    assert answer.text == "Grüezi 世界 🌍 !"
    assert answer.finish_reason is FinishReason.STOP
    assert (answer.usage is not None) is WHOLE_ANSWERS[model]


@pytest.mark.parametrize(("model", "reported"), [("usage-absent", False), ("usage-null", False)])
async def test_a_whole_answer_may_come_without_usage(
    chat_model: OpenaiChatModel, model: str, reported: bool
) -> None:
    answer = await ask(chat_model, model, streamed=False)
    assert (answer.usage is not None) is reported


async def test_usage_reported_before_a_break_is_given_before_the_error(
    chat_model: OpenaiChatModel, server: OpenaiServer
) -> None:
    usage = {"prompt_tokens": 4, "completion_tokens": 1}
    begun = event(chunk({"content": "Hi"}, usage=usage))
    server.plays["breaks-with-usage"] = lambda _: Play(
        (begun, 0.02), content_type="text/event-stream", ending="cut"
    )
    deltas = []
    with pytest.raises(Unavailable):  # noqa: PT012 - what is seen before counts too
        async for delta in chat_model.stream(asking("breaks-with-usage")):
            deltas.append(delta)  # noqa: PERF401
    assert [delta.text for delta in deltas] == ["Hi", ""]
    assert deltas[-1].usage is not None
    assert deltas[-1].usage.output == 1


async def test_an_answer_beyond_all_bounds_is_not_read(
    chat_model: OpenaiChatModel, server: OpenaiServer
) -> None:
    server.plays["huge"] = lambda _: Play(tuple(b" " * 65_536 for _ in range(40)))
    with pytest.raises(CorruptResponse, match="larger"):
        await chat_model.complete(asking("huge"))
    assert await server.last.has_ended()


async def test_an_error_whose_body_never_ends_is_known_by_its_status(
    hasty: OpenaiChatModel, server: OpenaiServer
) -> None:
    server.plays["503-stall"] = lambda _: Play((b"{",), status=503, ending="stall")
    server.plays["503-huge"] = lambda _: Play((b"x" * 300_000,), status=503)
    for model in ("503-stall", "503-huge"):
        with pytest.raises(Unavailable):
            await ask(hasty, model, streamed=True)


async def test_a_server_that_is_not_there_has_done_nothing() -> None:
    with openai_server() as gone:
        base_url = gone.base_url
    async with OpenaiChatModel(base_url) as chat_model:
        for streamed in (WHOLE, STREAMED):
            with pytest.raises(Unavailable) as raised:
                await ask(chat_model, "echo", streamed=streamed)
            assert not raised.value.ambiguous


async def test_a_host_without_a_name_cannot_be_reached() -> None:
    async with OpenaiChatModel("http://no-such-host.invalid/v1") as chat_model:
        with pytest.raises(Unavailable) as raised:
            await ask(chat_model, "echo", streamed=False)
        assert not raised.value.ambiguous


async def test_a_server_without_tls_is_not_sent_the_key(server: OpenaiServer) -> None:
    before = len(server.requests)
    base_url = server.base_url.replace("http://", "https://")
    async with OpenaiChatModel(base_url, Secret(KEY)) as chat_model:
        with pytest.raises(PortError) as raised:
            await ask(chat_model, "echo", streamed=False)
    assert type(raised.value) is Unavailable
    assert raised.value.code == "tls_failed"
    assert not raised.value.ambiguous
    assert len(server.requests) == before
    shows_nothing(raised.value)
