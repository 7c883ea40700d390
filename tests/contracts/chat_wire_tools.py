"""The contract of wire formats: tools, their calls and their results."""

import pytest

from tollkeeper.contracts.chat_calls import check_pieces
from tollkeeper.contracts.chat_wire_suite import BOTH, Caller, ChatWireSuite, asking
from tollkeeper.contracts.chat_wire_upstream import Spoken, SpokenCall, Upstream
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import FinishReason
from tollkeeper.domain.errors import Unsupported
from tollkeeper.domain.messages import ToolCall, assistant, tool_result, user
from tollkeeper.domain.tools import Tool

_CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("get_weather", "Tells the weather in a city.", _CITY)
CLOCK = Tool("get_time", "Tells the time in a city.", _CITY)
TOOLS = (WEATHER, CLOCK)
ARGUMENTS = '{"city": "Zürich 🚠", "a": [null]}'
PARSED = {"city": "Zürich 🚠", "a": [None]}
TWO_CALLS = Spoken(
    calls=(
        SpokenCall("call_a", "get_weather", ('{"city": ', '"Bern"}'), signature="c2lnbmVk"),
        SpokenCall("call_b", "get_time", ('{"city": ', '"Rome"}')),
    ),
    finish=FinishReason.TOOL_CALLS,
)


class ChatWireTools(ChatWireSuite):
    """Calls come whole and go back."""

    @BOTH
    async def test_a_tool_is_called(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        request = asking(upstream.echo, "call get_weather", tools=TOOLS)
        answer = await caller.ask(request, streamed=streamed)
        assert list(upstream.last.tools) == ["get_weather", "get_time"]
        (call,) = answer.tool_calls
        assert call.id
        assert call.name == "get_weather"
        assert call.parsed_arguments() == {"city": "Zürich 🚠"}
        assert answer.finish_reason is FinishReason.TOOL_CALLS
        assert answer.text == ""

    @BOTH
    @pytest.mark.parametrize("scenario", ["answered", "every_byte", "one_packet"])
    async def test_arguments_in_single_characters_are_joined(
        self, caller: Caller, upstream: Upstream, scenario: str, streamed: bool
    ) -> None:
        call = SpokenCall("call_a", "get_weather", tuple(ARGUMENTS))
        spoken = Spoken(calls=(call,), finish=FinishReason.TOOL_CALLS)
        model = upstream.play(scenario, spoken)  # type: ignore[arg-type]
        answer = await caller.ask(asking(model, tools=TOOLS), streamed=streamed)
        (made,) = answer.tool_calls
        assert made.parsed_arguments() == PARSED

    @BOTH
    async def test_parallel_calls_are_told_apart_and_keep_their_order(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        model = upstream.play("answered", TWO_CALLS)
        answer = await caller.ask(asking(model, tools=TOOLS), streamed=streamed)
        assert [(call.name, call.parsed_arguments()) for call in answer.tool_calls] == [
            ("get_weather", {"city": "Bern"}),
            ("get_time", {"city": "Rome"}),
        ]
        assert len({call.id for call in answer.tool_calls}) == 2
        assert answer.finish_reason is FinishReason.TOOL_CALLS

    async def test_a_streamed_call_says_once_what_it_is(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        model = upstream.play("answered", TWO_CALLS)
        check_pieces(await caller.deltas(asking(model, tools=TOOLS)))

    @BOTH
    async def test_the_same_tool_may_be_called_twice(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        calls = tuple(
            SpokenCall(f"call_{n}", "get_weather", (f'{{"city": "{city}"}}',))
            for n, city in enumerate(("Bern", "Bern", "Rome"))
        )
        model = upstream.play("answered", Spoken(calls=calls, finish=FinishReason.TOOL_CALLS))
        answer = await caller.ask(asking(model, tools=TOOLS), streamed=streamed)
        cities = [call.parsed_arguments()["city"] for call in answer.tool_calls]
        assert cities == ["Bern", "Bern", "Rome"]
        assert len({call.id for call in answer.tool_calls}) == 3

    @BOTH
    async def test_text_before_a_call_is_kept(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        call = SpokenCall("call_a", "get_weather", ('{"city": "Bern"}',))
        spoken = Spoken(text=("I ", "look."), calls=(call,), finish=FinishReason.TOOL_CALLS)
        model = upstream.play("answered", spoken)
        answer = await caller.ask(asking(model, tools=TOOLS), streamed=streamed)
        assert answer.text == "I look."
        assert [call.name for call in answer.tool_calls] == ["get_weather"]

    @BOTH
    async def test_a_call_without_arguments_has_an_empty_object(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        spoken = Spoken(
            calls=(SpokenCall("call_a", "get_weather", ()),), finish=FinishReason.TOOL_CALLS
        )
        model = upstream.play("answered", spoken)
        answer = await caller.ask(asking(model, tools=TOOLS), streamed=streamed)
        (made,) = answer.tool_calls
        assert made.parsed_arguments() == {}

    @BOTH
    async def test_long_arguments_are_whole(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        pieces = ('{"city": "', *(f"{number:09} " for number in range(1_000)), '"}')
        call = SpokenCall("call_a", "get_weather", pieces)
        spoken = Spoken(calls=(call,), finish=FinishReason.TOOL_CALLS)
        model = upstream.play("answered", spoken)
        answer = await caller.ask(asking(model, tools=TOOLS), streamed=streamed)
        (made,) = answer.tool_calls
        assert made.parsed_arguments() == {"city": "".join(pieces[1:-1])}

    @BOTH
    @pytest.mark.parametrize("is_error", [False, True], ids=["result", "error"])
    async def test_what_a_tool_says_goes_back_to_the_model(
        self, caller: Caller, upstream: Upstream, is_error: bool, streamed: bool
    ) -> None:
        question = user("get_weather and get_time, please")
        first = ChatRequest(upstream.echo, (question,), 2_048, tools=TOOLS)
        answer = await caller.ask(first, streamed=streamed)
        assert len(answer.tool_calls) == 2
        results = [
            tool_result(call.id, f"{call.name} says: sunny 🌞", is_error=is_error)
            for call in answer.tool_calls
        ]
        messages = (question, answer.as_message(), *results)
        second = await caller.ask(
            ChatRequest(upstream.strict(), messages, 2_048, tools=TOOLS), streamed=streamed
        )
        assert "get_time says: sunny 🌞" in second.text
        sent = upstream.last.body.decode()
        assert sent.count("says: sunny") == 2

    @BOTH
    async def test_a_call_goes_back_with_its_signature(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        question = user("What about Bern and Rome?")
        request = ChatRequest(upstream.play("answered", TWO_CALLS), (question,), 99, tools=TOOLS)
        answer = await caller.ask(request, streamed=streamed)
        given = [call.signature for call in upstream.heard(TWO_CALLS).tool_calls]
        assert any(given) is upstream.signs_calls
        results = [tool_result(call.id, "sunny") for call in answer.tool_calls]
        messages = (question, answer.as_message(), *results)
        await caller.ask(
            ChatRequest(upstream.strict(), messages, 99, tools=TOOLS), streamed=streamed
        )
        assert (b"c2lnbmVk" in upstream.last.body) is upstream.signs_calls

    @BOTH
    async def test_calls_that_another_provider_made_are_understood(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        call = ToolCall("toolu_01A09q90qw90lq917835lq9", "get_weather", '{"city": "Bern"}')
        messages = (user("Weather?"), assistant(tool_calls=[call]), tool_result(call.id, "rainy"))
        request = ChatRequest(upstream.echo, messages, 99, tools=TOOLS)
        assert (await caller.ask(request, streamed=streamed)).text == "rainy"

    @BOTH
    @pytest.mark.parametrize(
        ("choice", "called"),
        [("none", []), ("required", ["get_weather"]), ("get_time", ["get_time"])],
    )
    async def test_the_choice_of_tools_is_kept(
        self,
        caller: Caller,
        upstream: Upstream,
        choice: str,
        called: list[str],
        streamed: bool,
    ) -> None:
        text = "get_weather" if choice == "none" else "Hello."
        request = asking(upstream.echo, text, tools=TOOLS, tool_choice=choice)
        answer = await caller.ask(request, streamed=streamed)
        assert [call.name for call in answer.tool_calls] == called

    @BOTH
    async def test_one_call_at_a_time_is_kept_or_refused(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        text = "get_weather and get_time"
        request = asking(upstream.echo, text, tools=TOOLS, parallel_tool_calls=False)
        try:
            answer = await caller.ask(request, streamed=streamed)
        except Unsupported:
            assert upstream.count == 0
            return
        assert upstream.last.parallel is False
        assert [call.name for call in answer.tool_calls] == ["get_weather"]
