"""The chat model that plays what a test hands it."""

import asyncio

import pytest

from tests.kit.broken_chat_models import obedient
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.contracts.chat_model import ChatModelContract
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import Delta, FinishReason
from tollkeeper.domain.errors import CorruptResponse, Unavailable
from tollkeeper.domain.messages import user

pytestmark = pytest.mark.anyio

END = Delta(finish_reason=FinishReason.STOP)


class TestMemoryChatModel(ChatModelContract):
    """Handed a function that answers as a model would."""

    @pytest.fixture
    async def chat_model(self) -> MemoryChatModel:
        return MemoryChatModel(obedient)

    @pytest.fixture
    async def another_chat_model(self) -> MemoryChatModel:
        return MemoryChatModel(obedient)

    @pytest.fixture
    def model(self) -> str:
        return "obedient"


def asking(text: str = "Hi") -> ChatRequest:
    return ChatRequest("any", (user(text),), 16)


async def test_answers_are_played_in_turn_and_the_last_one_again() -> None:
    model = MemoryChatModel([Delta(text="one"), END], [Delta(text="two"), END])
    said = [(await model.complete(asking(str(number)))).text for number in range(3)]
    assert said == ["one", "two", "two"]
    assert [request.messages[0].text for request in model.requests] == ["0", "1", "2"]
    assert model.abandoned == []


async def test_without_an_answer_it_says_hello() -> None:
    answer = await MemoryChatModel().complete(asking())
    assert answer.text == "Hello"
    assert answer.finish_reason is FinishReason.STOP
    assert answer.usage is not None


async def test_an_error_comes_after_what_was_said_before_it() -> None:
    error = Unavailable("down", port="chat_model", adapter="memory", ambiguous=True)
    model = MemoryChatModel([Delta(text="one"), error])
    stream = model.stream(asking())
    assert (await anext(stream)).text == "one"
    with pytest.raises(Unavailable) as raised:
        await anext(stream)
    assert raised.value is error
    assert model.abandoned == [], "it broke; nobody left"


async def test_an_answer_that_does_not_end_is_corrupt() -> None:
    with pytest.raises(CorruptResponse):
        await MemoryChatModel([Delta(text="one")]).complete(asking())


async def test_a_function_holds_the_model_until_the_test_lets_go() -> None:
    go = asyncio.Event()
    model = MemoryChatModel([Delta(text="one"), go.wait, END])
    task = asyncio.ensure_future(model.complete(asking()))
    await asyncio.sleep(0)
    assert model.requests
    assert not task.done()
    go.set()
    assert (await task).text == "one"


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_caller_who_leaves_is_remembered(cancelled: bool) -> None:
    model = MemoryChatModel([Delta(text="one"), asyncio.Event().wait, END])
    request = asking()
    if cancelled:
        task = asyncio.ensure_future(model.complete(request))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        stream = model.stream(request)
        await anext(stream)
        await stream.aclose()
    assert model.abandoned == [request]
