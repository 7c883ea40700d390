"""The contract of wire formats: what is asked reaches the provider."""

import asyncio
import base64
import copy
import json

import pytest

from tollkeeper.contracts.chat_wire_suite import BOTH, Caller, ChatWireSuite, asking
from tollkeeper.contracts.chat_wire_upstream import Spoken, Upstream
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import FinishReason
from tollkeeper.domain.errors import Unsupported
from tollkeeper.domain.messages import ImagePart, ReasoningPart, TextPart, assistant, system, user
from tollkeeper.domain.quirks import Quirks
from tollkeeper.domain.tools import JsonSchema, Tool

_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
_PLACE = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}
_THOUGHTFUL = Spoken(
    text=("Yes.",), reasoning=("Let me ", "think."), signature="dGhvdWdodA", redacted="cmVkYWN0ZWQ"
)


class ChatWireRequests(ChatWireSuite):
    """Messages, parts, parameters and quirks."""

    @BOTH
    async def test_a_conversation_goes_out_in_its_order(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        turns = ("Be brief now.", "First of all?", "Second of all.", "Third of all?")
        first, second, third, fourth = turns
        messages = (system(first), user(second), assistant(third), user(fourth))
        answer = await caller.ask(ChatRequest(upstream.echo, messages, 99), streamed=streamed)
        assert answer.text == "Third of all?"
        sent = upstream.last.body.decode()
        assert all(turn in sent for turn in turns)
        places = [sent.index(turn) for turn in turns[1:]]
        assert places == sorted(places)

    @BOTH
    async def test_an_image_is_sent_as_it_is(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        parts = (TextPart("Look:"), ImagePart(data=_PIXEL))
        request = ChatRequest(upstream.echo, (user(parts),), 99)
        answer = await caller.ask(request, streamed=streamed)
        assert base64.b64encode(_PIXEL) in upstream.last.body
        assert b"image/png" in upstream.last.body
        assert answer.text.startswith("Look: [data:image/png;base64,iVBO")

    @BOTH
    async def test_an_images_address_is_passed_on_or_refused_and_never_fetched(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        url = f"{upstream.base_url}/picture.png"
        request = ChatRequest(upstream.echo, (user(["Look:", ImagePart(url=url)]),), 99)
        try:
            await caller.ask(request, streamed=streamed)
        except Unsupported:
            assert upstream.count == 0
            return
        assert upstream.count == 1
        assert url in upstream.last.body.decode()

    @BOTH
    async def test_a_schema_is_sent_and_answered(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        request = asking(
            upstream.echo, "Bern", response_format=JsonSchema("place", _PLACE, strict=True)
        )
        answer = await caller.ask(request, streamed=streamed)
        schema = upstream.last.schema
        assert schema is not None
        assert schema["properties"].keys() == {"city", "people"}
        assert json.loads(answer.text) == {"city": "Bern", "people": 1}

    @BOTH
    async def test_json_is_answered_or_refused(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        try:
            answer = await caller.ask(
                asking(upstream.echo, "Bern", response_format="json"), streamed=streamed
            )
        except Unsupported:
            assert upstream.count == 0
            return
        assert json.loads(answer.text) == {"answer": "Bern"}

    @BOTH
    async def test_the_bound_goes_out_with_every_request(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        await caller.ask(asking(upstream.echo, max_tokens=1_234), streamed=streamed)
        assert upstream.last.bound == 1_234

    @BOTH
    async def test_a_stop_ends_the_text(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        request = asking(upstream.echo, "one two HALT three", stop=["HALT", "STOP"])
        answer = await caller.ask(request, streamed=streamed)
        assert list(upstream.last.stops) == ["HALT", "STOP"]
        assert (answer.text.rstrip(), answer.finish_reason) == ("one two", FinishReason.STOP)

    @BOTH
    async def test_a_temperature_goes_out_only_where_it_is_set(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        await caller.ask(asking(upstream.echo), streamed=streamed)
        for name in (b"temperature", b"top_p", b"topP", b"seed", b"penalty", b"tools", b"stop_"):
            assert name not in upstream.last.body
        await caller.ask(asking(upstream.echo, temperature=0.125), streamed=streamed)
        assert b"0.125" in upstream.last.body

    @BOTH
    async def test_thoughts_that_bear_a_signature_go_back_unchanged(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        question = user("Really?")
        model = upstream.play("answered", _THOUGHTFUL)
        answer = await caller.ask(ChatRequest(model, (question,), 2_048), streamed=streamed)
        heard = upstream.heard(_THOUGHTFUL)
        given = [t for t in answer.thoughts if t.signature or t.redacted]
        assert "".join(t.signature for t in given) == "".join(t.signature for t in heard.thoughts)
        assert "".join(t.redacted for t in given) == "".join(t.redacted for t in heard.thoughts)
        messages = (question, answer.as_message(), user("Sure?"))
        await caller.ask(ChatRequest(model, messages, 2_048), streamed=streamed)
        sent = upstream.last.body.decode()
        for thought in heard.thoughts:
            assert thought.signature in sent
            assert thought.redacted in sent
            assert not thought.signature or thought.text in sent

    @BOTH
    async def test_thoughts_of_another_provider_do_no_harm(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        thoughtful = assistant("Yes.", reasoning=[ReasoningPart("Hm.")])
        messages = (user("Really?"), thoughtful, user("Sure of it?"))
        request = ChatRequest(upstream.echo, messages, 2_048, on_unsupported="drop")
        assert (await caller.ask(request, streamed=streamed)).text == "Sure of it?"

    @BOTH
    async def test_what_is_extra_is_passed_on(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        request = asking(upstream.echo, extra={"contract_extra": {"deep": [1, "two"]}})
        await caller.ask(request, streamed=streamed)
        assert b"contract_extra" in upstream.last.body
        assert b"two" in upstream.last.body

    @BOTH
    async def test_the_headers_of_a_model_go_out(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        quirks = Quirks(headers={"X-Contract": "beta-2001"})
        await caller.ask(asking(upstream.echo, quirks=quirks), streamed=streamed)
        assert upstream.last.headers["x-contract"] == "beta-2001"
        await caller.ask(asking(upstream.echo), streamed=streamed)
        assert "x-contract" not in upstream.last.headers

    @BOTH
    async def test_what_the_model_does_not_take_is_refused_before_anything_is_sent(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        quirks = Quirks(unsupported=["temperature"])
        request = asking(upstream.echo, temperature=0.5, quirks=quirks)
        broken = await caller.fail(request, streamed=streamed)
        assert type(broken.error) is Unsupported
        assert broken.error.code == "unsupported_parameter"
        assert upstream.count == 0

    @BOTH
    async def test_what_the_model_does_not_take_is_dropped_with_a_warning_if_wanted(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        quirks = Quirks(unsupported=["temperature", "top_p"])
        request = asking(
            upstream.echo, temperature=0.5, top_p=0.5, quirks=quirks, on_unsupported="drop"
        )
        answer = await caller.ask(request, streamed=streamed)
        assert answer.text == "one two three"
        assert len(answer.warnings) == 2
        assert "temperature" in "".join(answer.warnings)
        assert "top_p" in "".join(answer.warnings)
        assert b"temperature" not in upstream.last.body

    @BOTH
    async def test_what_changes_the_question_is_never_dropped(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        request = asking(
            upstream.echo,
            tools=[Tool("get_weather")],
            quirks=Quirks(unsupported=["tools"]),
            on_unsupported="drop",
        )
        broken = await caller.fail(request, streamed=streamed)
        assert type(broken.error) is Unsupported
        assert upstream.count == 0

    @BOTH
    async def test_a_fixed_value_is_taken_and_not_sent(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        quirks = Quirks(fixed={"temperature": 1.0})
        answer = await caller.ask(
            asking(upstream.echo, temperature=1.0, quirks=quirks), streamed=streamed
        )
        assert answer.warnings == ()
        assert b"temperature" not in upstream.last.body
        with pytest.raises(Unsupported):
            await caller.ask(
                asking(upstream.echo, temperature=0.5, quirks=quirks), streamed=streamed
            )
        assert upstream.count == 1

    @BOTH
    async def test_a_request_is_left_as_it_was(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        request = asking(upstream.echo, tools=[Tool("get_weather")], extra={"contract": {"a": [1]}})
        before = copy.deepcopy(request)
        await caller.ask(request, streamed=streamed)
        assert request == before

    async def test_nothing_is_sent_before_a_stream_is_read(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        stream = caller.chat_model.stream(asking(upstream.echo))
        await asyncio.sleep(0.05)
        assert upstream.count == 0
        assert (await anext(stream)) is not None
        assert upstream.count == 1
        await stream.aclose()  # type: ignore[attr-defined]
