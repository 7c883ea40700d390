"""Answers that are large, long, late or broken in their bytes, from a real server."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from tests.adapters.openai_calls import KEY, asking_for, shows_nothing, streamed
from tests.servers.wire import FORMATS, scenarios
from tests.servers.wire_server import WireServer, wire_server
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.domain.errors import CorruptResponse, PortError, Timeout
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("whole", [True, False], ids=["whole", "streamed"])


@pytest.fixture(scope="module", params=["openai", "gemini"])
def server(request: pytest.FixtureRequest) -> Iterator[WireServer]:
    with wire_server(FORMATS[request.param], KEY) as server:
        yield server


@pytest.fixture
async def chat_model(server: WireServer) -> AsyncIterator[OpenaiChatModel]:
    provider = server.format.name
    async with OpenaiChatModel(server.base_url, Secret(KEY), provider=provider) as model:
        yield model


@BOTH
async def test_ten_million_bytes_are_read(
    chat_model: OpenaiChatModel, server: WireServer, whole: bool
) -> None:
    server.script("big", scenarios.big_answer())
    request = asking_for("big")
    answer = await (chat_model.complete(request) if whole else streamed(chat_model, request))
    assert answer.text == "x" * 10_000_000


async def test_ten_thousand_chunks_are_ten_thousand_deltas(
    chat_model: OpenaiChatModel, server: WireServer
) -> None:
    server.script("many", scenarios.many_chunks())
    texts = [delta.text async for delta in chat_model.stream(asking_for("many")) if delta.text]
    assert texts == [f"{number} " for number in range(10_000)]


@BOTH
async def test_bytes_that_are_no_unicode_are_corrupt(
    chat_model: OpenaiChatModel, server: WireServer, whole: bool
) -> None:
    server.script("bytes", scenarios.invalid_utf8())
    request = asking_for("bytes")
    with pytest.raises(CorruptResponse) as raised:
        await (chat_model.complete(request) if whole else streamed(chat_model, request))
    shows_nothing(raised.value)


async def test_nonsense_in_between_is_corrupt_after_what_came(
    chat_model: OpenaiChatModel, server: WireServer
) -> None:
    server.script("nonsense", scenarios.invalid_json(3))
    said = []
    with pytest.raises(CorruptResponse):  # noqa: PT012 - what is seen before counts too
        async for delta in chat_model.stream(asking_for("nonsense")):
            said.append(delta.text)  # noqa: PERF401
    assert "".join(said) == "Say one"


@BOTH
async def test_late_headers_are_waited_for_as_long_as_one_may(
    chat_model: OpenaiChatModel, server: WireServer, whole: bool
) -> None:
    server.script("late", scenarios.slow_headers(0.3))
    request = asking_for("late")
    answer = await (chat_model.complete(request) if whole else streamed(chat_model, request))
    assert answer.text
    soon = timedelta(seconds=0.1)
    async with OpenaiChatModel(
        server.base_url, Secret(KEY), idle_timeout=soon, total_timeout=soon
    ) as hasty:
        with pytest.raises(Timeout) as raised:
            await (hasty.complete(request) if whole else streamed(hasty, request))
    assert raised.value.ambiguous


@BOTH
@pytest.mark.parametrize("ending", ["cut", "reset"])
async def test_a_connection_that_breaks_at_once_may_have_done_the_work(
    chat_model: OpenaiChatModel, server: WireServer, ending: str, whole: bool
) -> None:
    server.script("gone", scenarios.at_once("cut" if ending == "cut" else "reset"))
    request = asking_for("gone")
    with pytest.raises(PortError) as raised:
        await (chat_model.complete(request) if whole else streamed(chat_model, request))
    assert raised.value.ambiguous
    assert raised.value.retryable
    shows_nothing(raised.value)


@BOTH
async def test_usage_with_every_event_or_with_none_is_reported_once_or_not_at_all(
    chat_model: OpenaiChatModel, server: WireServer, whole: bool
) -> None:
    server.script("everywhere", scenarios.usage_everywhere())
    server.script("nowhere", scenarios.no_usage())
    for name, reported in (("everywhere", True), ("nowhere", False)):
        request = asking_for(name)
        answer = await (chat_model.complete(request) if whole else streamed(chat_model, request))
        assert (answer.usage is not None) is reported
