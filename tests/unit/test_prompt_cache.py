"""The prompt cache's marks stand where the next call will look for them."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.messages import (
    ImagePart,
    Message,
    Role,
    ToolCall,
    assistant,
    system,
    tool_result,
    user,
)
from tollkeeper.domain.prompt_cache import MOST_BREAKPOINTS, PromptCache, breakpoints
from tollkeeper.domain.tools import Tool

TEXTS = st.sampled_from(["", "x", "short text", "y" * 400, "é" * 300])
CALLS = [ToolCall(f"call-{n}", "weather", '{"city": "Oslo"}') for n in range(3)]
MESSAGES = st.one_of(
    TEXTS.map(system),
    TEXTS.map(user),
    TEXTS.map(assistant),
    TEXTS.map(lambda text: tool_result("call-1", text)),
    TEXTS.map(lambda text: assistant(text, tool_calls=CALLS)),
    st.just(user([ImagePart(url="https://x/y.png")])),
)
CACHES = st.builds(PromptCache, minimum_tokens=st.sampled_from([0, 1, 100]), tail=st.integers(0, 3))


def ask(messages: list[Message], cache: PromptCache | None, **more: Any) -> ChatRequest:
    return ChatRequest("m", messages, 10, prompt_cache=cache, **more)


def everything(tail: int = 2) -> PromptCache:
    return PromptCache(minimum_tokens=0, tail=tail)


REQUESTS = st.builds(ask, st.lists(MESSAGES, min_size=1, max_size=12), CACHES)
TURNS = st.lists(
    st.one_of(
        st.tuples(TEXTS.filter(bool).map(assistant), TEXTS.filter(bool).map(user)).map(list),
        st.integers(1, 3).map(
            lambda n: (
                [assistant(tool_calls=CALLS[:n])]
                + [tool_result(call.id, "rain " * 50) for call in CALLS[:n]]
            )
        ),
    ),
    max_size=6,
)


def tokens(request: ChatRequest, place: int) -> int:
    """Estimate the prefix that ends with the message at *place*, as the policy does."""
    size = 0
    for message in request.messages[: place + 1]:
        size += len(message.text.encode()) + sum(len(c.arguments) for c in message.tool_calls)
    return size // 4


@given(REQUESTS)
def test_marks_are_few_ascending_and_large_enough(request: ChatRequest) -> None:
    marks = breakpoints(request)
    assert request.prompt_cache is not None
    assert len(marks) <= MOST_BREAKPOINTS
    assert list(marks) == sorted(set(marks))
    for place in marks:
        assert tokens(request, place) >= request.prompt_cache.minimum_tokens
        assert request.messages[place].role is not Role.ASSISTANT
        assert request.messages[place].content
        assert request.messages[place].text or request.messages[place].role is Role.USER


@given(REQUESTS)
def test_the_request_is_not_changed(request: ChatRequest) -> None:
    before = repr(request)
    assert breakpoints(request) == breakpoints(evolve(request))
    assert repr(request) == before


@given(REQUESTS)
def test_system_and_tail_are_marked_and_nothing_else(request: ChatRequest) -> None:
    assert request.prompt_cache is not None
    marks = breakpoints(evolve(request, prompt_cache=everything(request.prompt_cache.tail)))
    leading = [m for m in marks if request.messages[m].role is Role.SYSTEM]
    assert len(leading) <= 1
    assert all(m.role is Role.SYSTEM for place in leading for m in request.messages[: place + 1])
    assert len(marks) - len(leading) <= request.prompt_cache.tail


@given(st.booleans(), TURNS, st.integers(2, 3))
def test_the_next_turn_finds_the_prefix_of_this_one(
    with_system: bool, turns: list[list[Message]], tail: int
) -> None:
    conversation = [system("Be kind.")] * with_system + [user("Hello")]
    before = breakpoints(ask(conversation, everything(tail)))
    for turn in turns:
        assert before[-1] == len(conversation) - 1, "the whole of this call is kept for the next"
        conversation = conversation + turn
        after = breakpoints(ask(conversation, everything(tail)))
        assert before[-1] in after
        assert not with_system or after[0] == 0
        before = after


def test_without_a_policy_nothing_is_marked() -> None:
    assert breakpoints(ask([system("x" * 9999), user("Hello")], None)) == ()


def test_the_last_of_the_leading_system_messages_is_marked() -> None:
    messages = [system("a"), system("b"), user("c"), system("d"), user("e")]
    assert breakpoints(ask(messages, everything(tail=0))) == (1,)
    assert breakpoints(ask(messages[2:], everything(tail=0))) == ()


def test_the_tail_is_made_of_what_was_answered() -> None:
    messages = [user("a"), assistant("b"), user("c"), assistant("d"), user("e"), assistant("f")]
    assert breakpoints(ask(messages, everything(tail=1))) == (4,)
    assert breakpoints(ask(messages, everything(tail=2))) == (2, 4)
    assert breakpoints(ask(messages, everything(tail=3))) == (0, 2, 4)


def test_results_of_parallel_calls_are_one_turn() -> None:
    results = [tool_result(call.id, "rain") for call in CALLS]
    messages = [system("s"), user("a"), assistant(tool_calls=CALLS), *results]
    assert breakpoints(ask(messages, everything())) == (0, 1, 5)
    assert breakpoints(ask([*messages, user("and?")], everything())) == (0, 1, 6)


def test_an_empty_text_is_not_marked() -> None:
    messages = [system("s"), system(""), user("a"), assistant("b"), user("c"), user("")]
    assert breakpoints(ask(messages, everything())) == (0, 2, 4)
    assert breakpoints(ask([system(""), user("")], everything())) == ()


def test_a_prefix_under_the_minimum_is_not_marked() -> None:
    cache = PromptCache(minimum_tokens=100)
    messages = [system("x" * 399), user("a"), assistant("b"), user("c")]
    assert breakpoints(ask(messages, cache)) == (1, 3)
    assert breakpoints(ask([system("x" * 396), user("a")], cache)) == ()
    assert breakpoints(ask([system("é" * 200), user("a")], cache)) == (0, 1)


def test_tools_count_for_they_stand_before_all_messages() -> None:
    tool = Tool("weather", "x" * 400, {"type": "object"})
    messages = [system("s"), user("a")]
    assert breakpoints(ask(messages, PromptCache(minimum_tokens=100))) == ()
    assert breakpoints(ask(messages, PromptCache(minimum_tokens=100), tools=[tool])) == (0, 1)


@pytest.mark.parametrize(
    "bad",
    [
        *({"ttl": "10m"}, {"ttl": None}, {"ttl": 300}, {"minimum_tokens": -1}, {"tail": -1}),
        *({"minimum_tokens": 1.0}, {"minimum_tokens": True}, {"minimum_tokens": None}),
        *({"tail": MOST_BREAKPOINTS}, {"tail": 1.0}, {"tail": True}, {"tail": None}),
    ],
    ids=repr,
)
def test_a_malformed_policy_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        PromptCache(**bad)
