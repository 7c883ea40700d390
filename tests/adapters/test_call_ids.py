"""Calls of tools to which a server gives no id: they get one, and their results go back."""

from contextlib import AsyncExitStack

import pytest

from tests.servers.wire import FORMATS, Answer, Call, scenarios
from tests.servers.wire_server import wire_server
from tollkeeper.adapters.litellm.chat_model import LitellmChatModel
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completion_builder import CompletionBuilder
from tollkeeper.domain.completions import Completion
from tollkeeper.domain.messages import Message, tool_result, user
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.tools import Tool
from tollkeeper.ports.chat_model import ChatModel

pytestmark = pytest.mark.anyio
TOOLS = (Tool("get_weather"), Tool("get_time"))
NAMELESS = Answer(
    calls=(Call("", "get_weather", ('{"n"', ": 0}")), Call("", "get_time", ('{"n": 1}',))),
    finish="tool_calls",
)


async def _ask(model: ChatModel, *messages: Message, streamed: bool, name: str) -> Completion:
    request = ChatRequest(name, messages, 100, tools=TOOLS)
    if not streamed:
        return await model.complete(request)
    builder = CompletionBuilder()
    reasons = 0
    async for delta in model.stream(request):
        builder.add(delta)
        assert not (reasons and delta.tool_calls), "nothing is said after the reason"
        reasons += delta.finish_reason is not None
    return builder.build()


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("adapter", [OpenaiChatModel, LitellmChatModel])
async def test_a_call_without_an_id_gets_one_of_its_own(
    adapter: type[OpenaiChatModel | LitellmChatModel], streamed: bool
) -> None:
    async with AsyncExitStack() as stack:
        server = stack.enter_context(wire_server(FORMATS["xai"]))
        server.script("nameless", scenarios.answered(NAMELESS))
        opened = adapter(server.base_url, Secret("xai-key"), provider="xai")
        model: ChatModel = opened
        await stack.enter_async_context(opened)
        asked = user("What is the weather?")
        first = await _ask(model, asked, streamed=streamed, name="nameless")
        again = await _ask(model, asked, streamed=streamed, name="nameless")
        calls = (*first.tool_calls, *again.tool_calls)
        assert [call.name for call in calls] == ["get_weather", "get_time"] * 2
        assert [call.parsed_arguments() for call in calls] == [{"n": 0}, {"n": 1}] * 2
        ids = [call.id for call in calls]
        assert all(ids)
        assert len(set(ids)) == 4, "also in one conversation of many steps"

        results = [tool_result(call.id, f"of {call.name}") for call in first.tool_calls]
        said = (asked, first.as_message(), *results)
        await _ask(model, *said, streamed=streamed, name="echo")
        sent = server.last.json["messages"]
        assert [each["tool_call_id"] for each in sent[2:]] == ids[:2]
        assert [each["id"] for each in sent[1]["tool_calls"]] == ids[:2]
