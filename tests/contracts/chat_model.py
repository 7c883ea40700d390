"""What every chat model does, whoever provides it."""

import asyncio
import copy
import json
from datetime import timedelta

import attrs
import pytest

from tollkeeper.contracts.chat_calls import (
    LONG,
    WEATHER,
    added_up,
    all_of,
    asking,
    check_pieces,
    closed,
    next_of,
    within,
)
from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.completions import Completion, Delta
from tollkeeper.domain.errors import NotFound, Rejected, Unsupported
from tollkeeper.domain.messages import assistant, system, tool_result, user
from tollkeeper.domain.tools import JsonSchema
from tollkeeper.ports.chat_model import ChatModel


class ChatModelContract(Contract):
    """Needs ``chat_model``, and ``model``: the name of a model that follows simple orders.

    On a live provider it makes some sixty small calls. Give ``another_chat_model`` too, made
    apart from the first, to see that two share nothing.
    """

    @pytest.fixture
    def tool_model(self, model: str) -> str:
        """Name a model that can call tools and take images."""
        return model

    @pytest.fixture
    def unknown_model(self) -> str:
        """Name a model that the provider does not have."""
        return "tollkeeper-contract-no-such-model"

    @pytest.fixture
    async def another_chat_model(self, chat_model: ChatModel) -> ChatModel:
        """Give a second one, of the same provider."""
        return chat_model

    @pytest.fixture
    def patience(self) -> timedelta:
        """Say after how long a call hangs."""
        return timedelta(minutes=2)

    async def test_an_answer_says_something_and_why_it_ended(
        self, chat_model: ChatModel, model: str, patience: timedelta
    ) -> None:
        answer = await within(patience, chat_model.complete(asking(model)))
        assert answer.text
        assert answer.finish_reason is not None
        assert answer.receipt is None

    async def test_a_stream_ends_with_one_finish_reason_and_then_the_usage(
        self, chat_model: ChatModel, model: str, patience: timedelta
    ) -> None:
        deltas = await within(patience, all_of(chat_model.stream(asking(model))))
        ends = [place for place, delta in enumerate(deltas) if delta.finish_reason]
        assert len(ends) == 1, "a stream has one finish reason"
        after = deltas[ends[0] + 1 :]
        assert not any(d.text or d.reasoning or d.refusal or d.tool_calls for d in after)
        reports = [place for place, delta in enumerate(deltas) if delta.usage is not None]
        assert reports in ([], [len(deltas) - 1]), "usage comes once, with the last delta"
        assert added_up(deltas).text

    async def test_usage_is_counted_in_pools_that_fit_the_call(
        self, chat_model: ChatModel, model: str, patience: timedelta
    ) -> None:
        request = asking(model)
        whole = await within(patience, chat_model.complete(request))
        streamed = added_up(await within(patience, all_of(chat_model.stream(request))))
        for usage in (whole.usage, streamed.usage):
            if usage is not None:
                assert usage.input + usage.cached_input + usage.cache_write > 0
                assert 0 < usage.output + usage.reasoning <= request.max_tokens
                assert usage.input_audio == usage.output_audio == 0

    async def test_no_more_is_written_than_max_tokens(
        self, chat_model: ChatModel, model: str, patience: timedelta
    ) -> None:
        request = asking(model, LONG, max_tokens=16)
        whole = await within(patience, chat_model.complete(request))
        streamed = added_up(await within(patience, all_of(chat_model.stream(request))))
        for answer in (whole, streamed):
            assert len(answer.text.split()) <= 16
            if answer.usage is not None:
                assert answer.usage.output + answer.usage.reasoning <= 16

    async def test_a_conversation_with_a_system_message_is_answered(
        self, chat_model: ChatModel, model: str, patience: timedelta
    ) -> None:
        messages = (system("Be brief."), user("Say one."), assistant("one"), user("Say two."))
        answer = await within(patience, chat_model.complete(asking(model, *messages)))
        assert answer.text

    @pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
    async def test_a_tool_is_called_and_its_result_answered(
        self, chat_model: ChatModel, tool_model: str, patience: timedelta, streamed: bool
    ) -> None:
        question = user("What is the weather in Paris?")
        request = attrs.evolve(
            asking(tool_model, question), tools=(WEATHER,), tool_choice="required"
        )
        if streamed:
            deltas = await within(patience, all_of(chat_model.stream(request)))
            check_pieces(deltas)
            answer = added_up(deltas)
        else:
            answer = await within(patience, chat_model.complete(request))
        assert answer.tool_calls
        for call in answer.tool_calls:
            assert call.id
            assert call.name == WEATHER.name
            assert isinstance(call.parsed_arguments().get("city"), str)
        results = [tool_result(call.id, "sunny, 21 degrees") for call in answer.tool_calls]
        said = assistant(answer.text, tool_calls=answer.tool_calls)
        request = attrs.evolve(asking(tool_model, question, said, *results), tools=(WEATHER,))
        assert (await within(patience, chat_model.complete(request))).text

    async def test_an_answer_in_json_is_json(
        self, chat_model: ChatModel, model: str, patience: timedelta
    ) -> None:
        schema = {**WEATHER.parameters, "title": "Place"}
        request = attrs.evolve(
            asking(model, "Name the capital of France, as JSON."),
            response_format=JsonSchema("place", schema),
        )
        try:
            answer = await within(patience, chat_model.complete(request))
        except (Unsupported, Rejected):
            return  # said so, rather than answered in prose
        assert isinstance(json.loads(answer.text)["city"], str)

    @pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
    async def test_an_unknown_model_is_refused(
        self, chat_model: ChatModel, unknown_model: str, patience: timedelta, streamed: bool
    ) -> None:
        request = asking(unknown_model)
        stream = chat_model.stream(request)
        with pytest.raises((NotFound, Rejected)) as refusal:
            await within(patience, all_of(stream) if streamed else chat_model.complete(request))
        if isinstance(refusal.value, Rejected):
            assert refusal.value.port == "chat_model"
            assert refusal.value.adapter

    @pytest.mark.parametrize("after", [0, 1, 2])
    async def test_a_closed_stream_leaves_the_model_usable(
        self, chat_model: ChatModel, model: str, patience: timedelta, after: int
    ) -> None:
        for _ in range(3):
            stream = chat_model.stream(asking(model))
            for _ in range(after):
                await next_of(patience, stream)
            await within(patience, closed(stream))
        assert (await within(patience, chat_model.complete(asking(model)))).text

    @pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
    async def test_a_cancelled_call_ends_at_once_and_leaves_the_model_usable(
        self, chat_model: ChatModel, model: str, patience: timedelta, streamed: bool
    ) -> None:
        async def call() -> None:
            if streamed:
                await all_of(chat_model.stream(asking(model, LONG)))
            else:
                await chat_model.complete(asking(model, LONG))

        for turns in (1, 2, 5):
            task = asyncio.ensure_future(call())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=patience.total_seconds())
            assert done, "a cancelled call goes on"
            # A call may be done before it is cancelled, but not fail in another way.
            assert task.cancelled() or task.exception() is None
        assert (await within(patience, chat_model.complete(asking(model)))).text

    async def test_a_stream_may_be_read_from_several_tasks(
        self, chat_model: ChatModel, model: str, patience: timedelta
    ) -> None:
        for read_to_the_end in (True, False):
            stream = chat_model.stream(asking(model))
            deltas: list[Delta] = []
            while True:
                delta = await asyncio.create_task(next_of(patience, stream))
                if delta is None or (deltas and not read_to_the_end):
                    break
                deltas.append(delta)
            await asyncio.create_task(within(patience, closed(stream)))
            assert deltas
            assert not read_to_the_end or added_up(deltas).finish_reason is not None

    async def test_concurrent_calls_get_their_own_answers(
        self, chat_model: ChatModel, model: str, patience: timedelta
    ) -> None:
        markers = [f"marker{number:02}" for number in range(20)]

        async def ask(number: int) -> Completion:
            request = asking(model, f"Say only this one word again: {markers[number]}")
            if number % 2:
                return added_up(await all_of(chat_model.stream(request)))
            return await chat_model.complete(request)

        answers = await within(patience, asyncio.gather(*map(ask, range(len(markers)))))
        for own, answer in zip(markers, answers, strict=True):
            assert answer.finish_reason is not None
            text = answer.text.lower()
            assert own in text or not any(marker in text for marker in markers)

    async def test_two_instances_share_nothing(
        self,
        chat_model: ChatModel,
        another_chat_model: ChatModel,
        model: str,
        patience: timedelta,
    ) -> None:
        left = chat_model.stream(asking(model, "Say only this: alpha alpha alpha"))
        right = another_chat_model.stream(asking(model, "Say only this: omega omega omega"))
        from_left = [await within(patience, anext(left))]
        from_right = [await within(patience, anext(right))]
        from_left += await within(patience, all_of(left))
        abandoned = chat_model.stream(asking(model))
        await within(patience, anext(abandoned))
        await within(patience, closed(abandoned))
        from_right += await within(patience, all_of(right))
        for answer, other in ((added_up(from_left), "omega"), (added_up(from_right), "alpha")):
            assert answer.finish_reason is not None
            assert other not in answer.text.lower()

    async def test_the_request_is_left_as_it_was(
        self, chat_model: ChatModel, tool_model: str, patience: timedelta
    ) -> None:
        request = attrs.evolve(
            asking(tool_model), tools=(WEATHER,), tool_choice="auto", extra={"user": "contract"}
        )
        before = copy.deepcopy(request)
        await within(patience, chat_model.complete(request))
        await within(patience, all_of(chat_model.stream(request)))
        assert request == before
