"""Answers that must be JSON: checked, and charged even when they are not what was asked for."""

from pathlib import Path
from typing import Any

import pytest

from tests.application.asked_models import USAGE, answer, ask, streamed
from tests.application.virtual_time import LoopClock, in_virtual_time
from tests.application.world import open_world
from tollkeeper import Delta, FinishReason, JsonSchema
from tollkeeper.adapters.memory.chat_model import MemoryChatModel
from tollkeeper.domain.errors import CorruptResponse, InvalidRequest, Unavailable

AGE = JsonSchema(
    "person",
    {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]},
)


@in_virtual_time
@pytest.mark.parametrize(
    ("wanted", "text", "code"),
    [
        ("json", "{", "invalid_json_answer"),
        ("json", "", "invalid_json_answer"),
        ("json", "[" * 200_000, "invalid_json_answer"),
        (AGE, "plain", "invalid_json_answer"),
        (AGE, "{}", "schema_mismatch"),
        (AGE, '{"age": "old"}', "schema_mismatch"),
    ],
    ids=["cut", "empty", "deep", "plain", "missing", "type"],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_answer_of_another_form_is_an_error_that_has_the_charged_answer(
    tmp_path: Path, wanted: Any, text: str, code: str, stream: bool
) -> None:
    model = MemoryChatModel([Delta(text=text), Delta(finish_reason=FinishReason.STOP, usage=USAGE)])
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        with pytest.raises(CorruptResponse) as caught:
            await (
                streamed(world, response_format=wanted).completion()
                if stream
                else ask(world, response_format=wanted)
            )
        assert caught.value.code == code
        partial = caught.value.partial
        assert partial.text == text
        assert partial.receipt.charged.amount == "0.00002"
        assert len(partial.attempts) == 1
        assert await world.balance() == ("0.99998", "0.00")


@in_virtual_time
@pytest.mark.parametrize(("wanted", "text"), [("json", "[1]"), (AGE, '{"age": 7}')], ids=str)
async def test_an_answer_of_the_right_form_comes_through(
    tmp_path: Path, wanted: Any, text: str
) -> None:
    model = MemoryChatModel(answer(text))
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        assert (await ask(world, response_format=wanted)).text == text


@in_virtual_time
async def test_an_answer_that_was_cut_or_refused_is_not_held_to_the_form(tmp_path: Path) -> None:
    cut = [Delta(text="{"), Delta(finish_reason=FinishReason.LENGTH, usage=USAGE)]
    refused = [Delta(refusal="no"), Delta(finish_reason=FinishReason.STOP, usage=USAGE)]
    model = MemoryChatModel(cut, refused)
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        assert (await ask(world, response_format=AGE)).text == "{"
        assert (await ask(world, response_format=AGE)).refusal == "no"


@in_virtual_time
@pytest.mark.parametrize(
    "schema",
    [{"type": "nonsense"}, {"$ref": "https://elsewhere.example/schema"}, {"minimum": "five"}],
    ids=["type", "reference", "keyword"],
)
async def test_a_schema_that_is_none_is_refused_before_money(
    tmp_path: Path, schema: dict[str, Any]
) -> None:
    model = MemoryChatModel(answer())
    async with open_world(
        tmp_path, credit="0", clock=LoopClock(), chat_models={"tokens": model}
    ) as world:
        for stream in (False, True):
            wanted = JsonSchema("wanted", schema)
            with pytest.raises(InvalidRequest) as caught:
                await (
                    streamed(world, response_format=wanted).completion()
                    if stream
                    else ask(world, response_format=wanted)
                )
            assert caught.value.code == "invalid_schema"
        assert model.requests == []


@in_virtual_time
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_replay_is_held_to_the_form_too_and_charges_nothing_more(
    tmp_path: Path, stream: bool
) -> None:
    model = MemoryChatModel(answer('{"age": "old"}'))
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        for _ in range(2):
            with pytest.raises(CorruptResponse) as caught:
                await (
                    streamed(world, response_format=AGE, idempotency_key="once").completion()
                    if stream
                    else ask(world, response_format=AGE, idempotency_key="once")
                )
            assert caught.value.code == "schema_mismatch"
            assert caught.value.partial.receipt.charged.amount == "0.00002"
        assert len(model.requests) == 1
        assert await world.balance() == ("0.99998", "0.00")


@in_virtual_time
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_error_says_every_request_that_was_made(tmp_path: Path, stream: bool) -> None:
    model = MemoryChatModel([Unavailable("down", port="chat_model", adapter="test")])
    async with open_world(tmp_path, clock=LoopClock(), chat_models={"tokens": model}) as world:
        with pytest.raises(Unavailable) as caught:
            await (streamed(world).completion() if stream else ask(world))
        assert [attempt.error for attempt in caught.value.attempts] == ["unavailable"] * 3
        logged = await world.tk.list_attempts(account="acme")
        assert logged == caught.value.attempts
