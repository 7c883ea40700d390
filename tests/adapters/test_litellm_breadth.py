"""Providers with formats of their own that litellm alone translates, on real servers."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.adapters.litellm_calls import KEY, ask, asking
from tests.servers.http_player import HttpPlayer, Play, SeenRequest, http_player
from tollkeeper.adapters.litellm.chat_model import LitellmChatModel
from tollkeeper.adapters.litellm.lines import LineSplitter
from tollkeeper.adapters.litellm.reasons import finish_reason_of
from tollkeeper.domain.completions import Completion, FinishReason, TokenUsage
from tollkeeper.domain.errors import CorruptResponse
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


def _ollama(reason: str | None, *, counted: bool) -> Callable[[SeenRequest], Play]:
    """Answer as https://docs.ollama.com/api/chat has it: a JSON object on each line."""

    def play(seen: SeenRequest) -> Play:
        counts = {"prompt_eval_count": 7, "eval_count": 2} if counted else {}
        said: dict[str, Any] = {"model": "llama", "created_at": "2001-01-01T00:00:00Z"}
        last = {**said, "done": True, "done_reason": reason, **counts}
        if not seen.json["stream"]:
            message = {"role": "assistant", "content": "one two"}
            return Play((json.dumps({**last, "message": message}).encode(),), framing="length")
        lines = [
            {**said, "done": False, "message": {"role": "assistant", "content": word}}
            for word in ("one", " two")
        ]
        if reason:
            lines.append({**last, "message": {"role": "assistant", "content": ""}})
        packets = tuple(json.dumps(line).encode() + b"\n" for line in lines)
        return Play(packets, content_type="application/x-ndjson")

    return play


@pytest.fixture
def plays() -> dict[str, Callable[[SeenRequest], Play]]:
    return {
        "ends": _ollama("stop", counted=True),
        "uncounted": _ollama("stop", counted=False),
        "breaks": _ollama(None, counted=True),
    }


@pytest.fixture
def server(plays: dict[str, Callable[[SeenRequest], Play]]) -> Iterator[HttpPlayer]:
    with http_player(lambda seen: plays[seen.json["model"]](seen)) as server:
        yield server


async def _answer(server: HttpPlayer, model: str, *, streamed: bool) -> Completion:
    async with LitellmChatModel(server.origin, Secret(KEY), provider="ollama_chat") as chat_model:
        return await ask(chat_model, asking(model), streamed=streamed)


@BOTH
async def test_lines_of_json_are_read(server: HttpPlayer, streamed: bool) -> None:
    answer = await _answer(server, "ends", streamed=streamed)
    assert answer.text == "one two"
    assert answer.finish_reason is FinishReason.STOP
    assert answer.usage == TokenUsage(input=7, output=2)
    assert server.last.path == "/api/chat"
    assert server.last.headers["authorization"] == f"Bearer {KEY}"
    assert server.last.json["options"]["num_predict"] == 64


@BOTH
async def test_a_usage_that_litellm_makes_up_is_none(server: HttpPlayer, streamed: bool) -> None:
    assert (await _answer(server, "uncounted", streamed=streamed)).usage is None


@BOTH
async def test_an_answer_without_a_reason_is_not_whole(server: HttpPlayer, streamed: bool) -> None:
    with pytest.raises(CorruptResponse):
        await _answer(server, "breaks", streamed=streamed)


@pytest.mark.parametrize(
    ("word", "native", "expected"),
    [
        ("stop", "", FinishReason.STOP),
        ("STOP", "", FinishReason.STOP),
        ("end_turn", "", FinishReason.STOP),
        ("MAX_TOKENS", "", FinishReason.LENGTH),
        ("tool_use", "", FinishReason.TOOL_CALLS),
        ("SAFETY", "", FinishReason.CONTENT_FILTER),
        ("pause_turn", "", FinishReason.PAUSED),
        ("refusal", "", FinishReason.REFUSAL),
        ("error", "", FinishReason.OTHER),
        ("MALFORMED_FUNCTION_CALL", "", FinishReason.OTHER),
        ("brand_new", "", FinishReason.OTHER),
        ("stop", "completed", FinishReason.STOP),
        ("stop", "error", FinishReason.OTHER),
        ("stop", "MALFORMED_FUNCTION_CALL", FinishReason.OTHER),
        ("stop", "max_output_tokens", FinishReason.LENGTH),
        ("stop", "SAFETY", FinishReason.CONTENT_FILTER),
    ],
)
def test_a_reason_that_is_not_known_is_never_taken_for_a_stop(
    word: str, native: str, expected: FinishReason
) -> None:
    assert finish_reason_of(word, native=native) is expected


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_are_the_same_however_the_bytes_are_cut(end: str, size: int) -> None:
    sent = "\ufeff" + end.join(["data: Grüezi 🌍", "", "data: b", "c"])
    whole = sent.encode()
    splitter = LineSplitter()
    found: list[str] = []
    for place in range(0, len(whole), size):
        found += splitter.feed(whole[place : place + size])
    assert [*found, *splitter.end()] == ["data: Grüezi 🌍", "", "data: b", "c"]


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    splitter = LineSplitter(longest=10)
    with pytest.raises(CorruptResponse):
        list(splitter.feed(b"x" * 11))
