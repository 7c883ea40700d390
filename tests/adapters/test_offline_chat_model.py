"""The offline chat model: what it says is known before it says it."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from tollkeeper.adapters.offline.behaviour import FAILURES
from tollkeeper.adapters.offline.chat_model import OfflineChatModel
from tollkeeper.contracts.chat_model import ChatModelContract
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completion_builder import CompletionBuilder
from tollkeeper.domain.completions import Delta, FinishReason, TokenUsage
from tollkeeper.domain.errors import (
    ConfigurationError,
    NotFound,
    Throttled,
    Unavailable,
)
from tollkeeper.domain.messages import (
    ImagePart,
    Message,
    assistant,
    system,
    tool_result,
    user,
)
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.tools import JsonSchema, Tool

pytestmark = pytest.mark.anyio

MODEL = OfflineChatModel()
WEATHER = Tool(
    "get_weather",
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "minimum": 1, "maximum": 7},
            "unit": {"enum": ["celsius", "fahrenheit"]},
        },
        "required": ["city", "unit"],
    },
)
MAIL = Tool("sendMail", parameters={"type": "object", "properties": {"to": {"type": "string"}}})


class TestOfflineChatModel(ChatModelContract):
    @pytest.fixture
    async def chat_model(self) -> OfflineChatModel:
        return OfflineChatModel()

    @pytest.fixture
    async def another_chat_model(self) -> OfflineChatModel:
        return OfflineChatModel()

    @pytest.fixture
    def model(self) -> str:
        return "echo"


class TestSlowOfflineChatModel(TestOfflineChatModel):
    """The same with a pause before each word, so that a cancelled call is under way."""

    @pytest.fixture
    async def chat_model(self) -> OfflineChatModel:
        return OfflineChatModel(delay=timedelta(milliseconds=1))


def asking(*said: Message | str, model: str = "echo", **more: Any) -> ChatRequest:
    messages = tuple(part if isinstance(part, Message) else user(part) for part in said)
    return ChatRequest(model, messages, more.pop("max_tokens", 64), **more)


async def deltas_of(request: ChatRequest, model: OfflineChatModel = MODEL) -> list[Delta]:
    return [delta async for delta in model.stream(request)]


async def test_it_repeats_the_last_user_word_by_word() -> None:
    request = asking(system("Be kind."), "first", assistant("first"), "Grüezi  wohl,\n Welt! ")
    deltas = await deltas_of(request)
    texts = [delta.text for delta in deltas if delta.text]
    assert texts == ["Grüezi", "  wohl,", "\n Welt! "]
    assert deltas[-1].finish_reason is FinishReason.STOP
    assert deltas[-1].usage == TokenUsage(input=7, output=3)


async def test_a_whole_answer_is_the_sum_of_its_deltas() -> None:
    for request in (asking("One two"), asking("weather in Bern", tools=(WEATHER,))):
        builder = CompletionBuilder()
        for delta in await deltas_of(request):
            builder.add(delta)
        assert await MODEL.complete(request) == builder.build()


async def test_the_bound_and_the_stop_words_are_kept() -> None:
    cut = await MODEL.complete(asking("one two three four", max_tokens=2))
    assert (cut.text, cut.finish_reason) == ("one two", FinishReason.LENGTH)
    assert cut.usage == TokenUsage(input=4, output=2)
    exact = await MODEL.complete(asking("one two", max_tokens=2))
    assert exact.finish_reason is FinishReason.STOP
    stopped = await MODEL.complete(asking("one two three four", stop=("four", "two")))
    assert (stopped.text, stopped.finish_reason) == ("one ", FinishReason.STOP)


@pytest.mark.parametrize(
    ("prompt", "arguments"),
    [
        ("What is the weather in Paris?", {"city": "Paris", "unit": "celsius"}),
        ("Use get_weather for New Delhi in fahrenheit", {"city": "Delhi", "unit": "fahrenheit"}),
        ("GET_WEATHER", {"city": "text", "unit": "celsius"}),
        ("weather?", {"city": "weather", "unit": "celsius"}),
    ],
)
async def test_a_tool_that_the_prompt_asks_for_is_called(
    prompt: str, arguments: dict[str, str]
) -> None:
    answer = await MODEL.complete(asking(prompt, tools=(MAIL, WEATHER)))
    (call,) = answer.tool_calls
    assert (call.id, call.name) == ("call_1", "get_weather")
    assert call.parsed_arguments() == arguments
    assert answer.finish_reason is FinishReason.TOOL_CALLS
    assert answer.text == ""


async def test_several_tools_are_called_at_once_in_the_order_they_were_offered() -> None:
    request = asking("Mail the weather in Rome to Anna", tools=(WEATHER, MAIL))
    calls = (await MODEL.complete(request)).tool_calls
    assert [(call.id, call.name) for call in calls] == [
        ("call_1", "get_weather"),
        ("call_2", "sendMail"),
    ]


async def test_no_tool_is_called_that_was_not_asked_for() -> None:
    for choice in ("auto", "none"):
        request = asking("Hello there", tools=(WEATHER,), tool_choice=choice)
        assert (await MODEL.complete(request)).text == "Hello there"
    named = asking("weather in Rome", tools=(WEATHER,), tool_choice="none")
    assert (await MODEL.complete(named)).tool_calls == ()


async def test_a_tool_that_must_be_called_is_called() -> None:
    for choice, name in (("required", "get_weather"), ("sendMail", "sendMail")):
        request = asking("Hello Bob", tools=(WEATHER, MAIL), tool_choice=choice)
        assert [call.name for call in (await MODEL.complete(request)).tool_calls] == [name]


async def test_results_of_tools_are_answered_with_their_text() -> None:
    question = user("weather in Rome, and Mail it")
    calls = (await MODEL.complete(asking(question, tools=(WEATHER, MAIL)))).tool_calls
    results = [tool_result("call_1", "sunny"), tool_result("call_2", "sent")]
    said = [question, assistant(tool_calls=calls), *results]
    answer = await MODEL.complete(asking(*said, tools=(WEATHER, MAIL)))
    assert (answer.text, answer.tool_calls) == ("sunny sent", ())
    again = [*said, assistant(answer.text), user("and the weather in Bern?")]
    (call,) = (await MODEL.complete(asking(*again, tools=(WEATHER,)))).tool_calls
    assert call.id == "call_3", "ids are not used twice in one conversation"


async def test_images_are_acknowledged() -> None:
    said = user(["What is this?", ImagePart(data=b"12345"), ImagePart(url="https://x.org/a.png")])
    answer = await MODEL.complete(asking(said))
    assert answer.text == "[image: image/png, 5 bytes] [image: by its address] What is this?"
    assert answer.usage is not None
    assert answer.usage.input == 5


async def test_json_is_written_where_it_is_asked_for() -> None:
    assert json.loads((await MODEL.complete(asking("Hi", response_format="json"))).text) == {
        "answer": "Hi"
    }
    schema = JsonSchema("forecast", WEATHER.parameters)
    answer = await MODEL.complete(asking("In Rome", response_format=schema))
    assert json.loads(answer.text) == {"city": "Rome", "unit": "celsius"}


async def test_saying_nothing_is_answered() -> None:
    assert (await MODEL.complete(asking(user("")))).text == "(nothing was said)"
    assert (await MODEL.complete(asking(system("Only this.")))).text == "Only this."


@pytest.mark.parametrize("name", FAILURES)
async def test_it_fails_as_it_is_told(name: str) -> None:
    for call in (MODEL.complete, deltas_of):
        with pytest.raises(FAILURES[name]) as raised:
            await call(asking("Hi", model=f"fail-{name}"))
        assert (raised.value.port, raised.value.adapter) == ("chat_model", "offline")
        waits = raised.value.retry_after is not None
        assert waits is isinstance(raised.value, Throttled)


@pytest.mark.parametrize(
    ("model", "kept"), [("break", 3), ("break-2", 2), ("break-after-1", 1), ("break-after-0", 0)]
)
async def test_it_breaks_off_as_it_is_told(model: str, kept: int) -> None:
    seen = []
    with pytest.raises(Unavailable) as raised:  # noqa: PT012 - what is seen before counts too
        async for delta in MODEL.stream(asking("a b c d e", model=model)):
            seen.append(delta.text)  # noqa: PERF401 - a comprehension would lose what came
    assert "".join(seen).split() == ["a", "b", "c", "d", "e"][:kept]
    assert raised.value.ambiguous
    with pytest.raises(Unavailable):
        await MODEL.complete(asking("a", model=model))


async def test_long_answers_and_silence_about_usage() -> None:
    long = await MODEL.complete(asking("Hi", model="long-5"))
    assert long.text == "1 2 3 4 5"
    cut = await MODEL.complete(asking("Hi", model="long"))
    assert cut.finish_reason is FinishReason.LENGTH
    assert (await MODEL.complete(asking("Hi", model="silent-usage"))).usage is None


async def test_slow_models_take_their_time_and_are_cancelled_at_once() -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await MODEL.complete(asking("a b c", model="slow-10"))
    assert loop.time() - begun >= 0.029
    task = asyncio.ensure_future(MODEL.complete(asking("a b c", model="slow-60000")))
    await asyncio.sleep(0.01)
    task.cancel()
    async with asyncio.timeout(1):
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    "model",
    ["gpt-4o", "Echo", "echo-1", "fail", "fail-x", "slow-x", "slow-1-2", "long-9999999"],
)
async def test_an_unknown_model_is_not_found_and_the_known_ones_are_listed(model: str) -> None:
    for call in (MODEL.complete, deltas_of):
        with pytest.raises(NotFound, match="echo") as raised:
            await call(asking("Hi", model=model))
        assert raised.value.code == "model_not_found"


async def test_a_url_sets_what_a_models_name_leaves_open() -> None:
    model = OfflineChatModel.from_url("offline://?delay_ms=1&break_after=2", api_key=Secret("x"))
    with pytest.raises(Unavailable):
        await model.complete(asking("a b c"))
    with pytest.raises(Unavailable):
        await model.complete(asking("a b c", model="slow-2"))
    plain = OfflineChatModel.from_url("offline://", api_key=None)
    assert (await plain.complete(asking("a b c"))).text == "a b c"
    assert "test" in await plain.health()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "offline",
        "offline:",
        "offline://echo",
        "offline:///x",
        "offline://?speed=1",
        "offline://?delay_ms=",
        "offline://?delay_ms=-1",
        "offline://?delay_ms=1.5",
        "offline://?delay_ms=99999999",
        "offline://?break_after=²",
    ],
)
def test_a_malformed_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="offline://"):
        OfflineChatModel.from_url(url, api_key=None)
