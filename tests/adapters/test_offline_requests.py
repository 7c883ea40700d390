"""The offline chat model: thoughts, what it cannot do, sound, files and credentials."""

from typing import Any

import pytest

from tollkeeper.adapters.offline.chat_model import OfflineChatModel
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import FinishReason, TokenUsage
from tollkeeper.domain.credentials import Credential
from tollkeeper.domain.errors import CredentialsRefused, Unsupported
from tollkeeper.domain.messages import AudioPart, FilePart, Message, Part, ReasoningPart, user
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.tools import Tool

pytestmark = pytest.mark.anyio

MODEL = OfflineChatModel()
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = Tool("get_weather", parameters=CITY)
MAIL = Tool("sendMail", parameters={"type": "object", "properties": {"to": {"type": "string"}}})


def asking(*said: Message | str, model: str = "echo", **more: Any) -> ChatRequest:
    messages = tuple(part if isinstance(part, Message) else user(part) for part in said)
    return ChatRequest(model, messages, more.pop("max_tokens", 64), **more)


async def test_a_thinking_model_thinks_before_it_answers_and_counts_it_apart() -> None:
    request = asking("one two three", model="thinking")
    deltas = [delta async for delta in MODEL.stream(request)]
    kinds = [
        "".join("rtx"[n] for n in range(3) if (d.reasoning, d.thought, d.text)[n]) for d in deltas
    ]
    assert "".join(kinds) == "r" * 8 + "t" + "x" * 3
    answer = await MODEL.complete(request)
    assert answer.reasoning == "The user says: one two three The user"
    assert answer.thoughts == (ReasoningPart(answer.reasoning),)
    assert answer.text == "one two three"
    assert answer.usage == TokenUsage(input=3, output=3, reasoning=8)
    back = asking("one", answer.as_message(), "two", model="thinking-2")
    assert (await MODEL.complete(back)).reasoning == "The user"


async def test_the_budget_and_the_bound_hold_for_thoughts_too() -> None:
    budget = await MODEL.complete(asking("one two", model="thinking", reasoning_budget=3))
    assert (budget.usage, budget.text) == (TokenUsage(input=2, output=2, reasoning=3), "one two")
    bound = await MODEL.complete(asking("one two", model="thinking-3", max_tokens=4))
    assert (bound.text, bound.finish_reason) == ("one", FinishReason.LENGTH)
    none = await MODEL.complete(asking("one two", model="thinking", reasoning_effort="none"))
    assert (none.reasoning, none.thoughts) == ("", ())
    only = await MODEL.complete(asking("one two", model="thinking", max_tokens=2))
    assert (only.text, only.usage) == ("", TokenUsage(input=2, reasoning=2))


async def test_what_it_cannot_do_is_refused_or_dropped_with_a_warning() -> None:
    cannot: dict[str, Any] = {"top_logprobs": 1, "reasoning_budget": 5, "reasoning_effort": "low"}
    for name, value in cannot.items():
        with pytest.raises(Unsupported, match=name.replace("_", " ")):
            await MODEL.complete(asking("x", **{name: value}))
    dropped = await MODEL.complete(asking("x", **cannot, on_unsupported="drop"))
    assert len(dropped.warnings) == 3
    can: dict[str, Any] = {"temperature": 1, "seed": 7, "user": "u", "metadata": {"a": "b"}}
    assert (await MODEL.complete(asking("x", **can))).warnings == ()


async def test_one_call_at_a_time_is_made_where_that_is_asked() -> None:
    request = asking(
        "Mail the weather in Rome to Anna", tools=(WEATHER, MAIL), parallel_tool_calls=False
    )
    (call,) = (await MODEL.complete(request)).tool_calls
    assert call.name == "get_weather"


async def test_sound_and_files_are_described_and_counted_as_one_token_each() -> None:
    parts: list[Part | str] = [AudioPart(b"RIFF"), FilePart("a.pdf", data=b"%PDF"), "Look"]
    answer = await MODEL.complete(ChatRequest("echo", (user(parts),), 64))
    assert answer.text == "[audio: wav, 4 bytes] [file: application/pdf, 4 bytes] Look"
    assert answer.usage is not None
    assert answer.usage.input == 3
    by_address = FilePart("a.pdf", url="https://example.org/a.pdf")
    assert (await MODEL.complete(ChatRequest("echo", (user([by_address]),), 64))).text.startswith(
        "[file: by its"
    )


async def test_a_credential_of_another_place_is_refused() -> None:
    assert (MODEL.provider, MODEL.base_url) == ("offline", "offline://")
    ours = Credential("offline", "offline://", Secret("any"))
    assert (await MODEL.complete(asking("x"), credential=ours)).text == "x"
    theirs = Credential("openai", "https://api.openai.com/v1", Secret("sk-x"))
    for call in (
        MODEL.complete(asking("x"), credential=theirs),
        anext(MODEL.stream(asking("x"), credential=theirs)),
    ):
        with pytest.raises(CredentialsRefused) as raised:
            await call
        assert (raised.value.port, raised.value.adapter) == ("chat_model", "offline")
