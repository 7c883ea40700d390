"""What comes beside the text: probabilities, thoughts, signatures, and the provider's own words."""

import json
import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.adapters.openai_calls import asking, streamed
from tests.servers.openai_answers import chunk, event
from tests.servers.openai_server import OpenaiServer, Play, openai_server
from tollkeeper.adapters.openai.chat_model import OpenaiChatModel
from tollkeeper.adapters.openai.decoding import decode_completion
from tollkeeper.adapters.openai.dialects import COMPATIBLE, GROQ, OPENAI, OPENROUTER, Dialect
from tollkeeper.adapters.openai.faults import provider_error
from tollkeeper.adapters.openai.stream_decoder import StreamDecoder
from tollkeeper.adapters.openai.usage import decode_report
from tollkeeper.adapters.wire.faults import ProviderFault, decode_fault
from tollkeeper.domain.completion_builder import CompletionBuilder
from tollkeeper.domain.completions import Completion, FinishReason, TokenUsage
from tollkeeper.domain.errors import (
    ContentFiltered,
    ContextWindowExceeded,
    CorruptResponse,
    CredentialsRefused,
    NotFound,
    PortError,
    Rejected,
    Throttled,
    TollkeeperError,
    Unavailable,
)
from tollkeeper.domain.messages import ReasoningPart

DONE = event("[DONE]")
END = event(chunk({}, "stop"))


def heard(*events: bytes, dialect: Dialect = OPENAI) -> Completion:
    decoder, builder = StreamDecoder(dialect), CompletionBuilder()
    for delta in decoder.feed(b"".join([*events, DONE])):
        builder.add(delta)
    for delta in decoder.end():
        builder.add(delta)
    return builder.build()


def whole(message: dict[str, Any], *, dialect: Dialect = OPENAI, **choice: Any) -> Completion:
    choices = [{"index": 0, "message": message, "finish_reason": "stop", **choice}]
    found = decode_completion(json.dumps({"choices": choices}).encode(), dialect=dialect)
    assert isinstance(found, Completion)
    return found


DETAILS = [
    {"type": "reasoning.text", "index": 0, "text": "Let me ", "format": "anthropic-claude-v1"},
    {"type": "reasoning.text", "index": 0, "text": "think."},
    {"type": "reasoning.text", "index": 0, "text": None, "signature": "c2ln"},
    {"type": "reasoning.summary", "index": 1, "summary": "In short."},
    {"type": "reasoning.encrypted", "index": 1, "data": "YmxvYg", "id": "rs_1"},
    {"type": "reasoning.encrypted", "index": 2, "data": "bW9yZQ"},
]
THOUGHTS = (
    ReasoningPart("Let me think.", "c2ln"),
    ReasoningPart("In short."),
    ReasoningPart(signature="rs_1", redacted="YmxvYg"),
    ReasoningPart(redacted="bW9yZQ"),
)


def test_details_of_reasoning_are_put_together_by_their_index() -> None:
    pieces = [event(chunk({"reasoning_details": [detail]})) for detail in DETAILS]
    for answer in (
        heard(*pieces, END, dialect=OPENROUTER),
        heard(event(chunk({"reasoning_details": DETAILS})), END, dialect=OPENROUTER),
        whole({"content": "", "reasoning_details": DETAILS}, dialect=OPENROUTER),
    ):
        assert answer.thoughts == THOUGHTS
        assert answer.reasoning == "Let me think.In short."


def test_text_that_stands_in_the_details_too_is_said_once() -> None:
    detail = {"type": "reasoning.text", "index": 0, "text": "Hm."}
    both = {"reasoning": "Hm.", "reasoning_details": [detail]}
    answer = heard(event(chunk(both)), END, dialect=OPENROUTER)
    assert (answer.reasoning, answer.thoughts) == ("Hm.", (ReasoningPart("Hm."),))


@pytest.mark.parametrize("details", [7, "x", [7, None], [{"type": []}], [{"index": "a"}], {}])
def test_details_of_another_form_cost_nothing_but_themselves(details: object) -> None:
    said = {"content": "Hi", "reasoning_details": details}
    for answer in (heard(event(chunk(said)), END, dialect=OPENROUTER), whole(said)):
        assert (answer.text, answer.thoughts) == ("Hi", ())


def test_thoughts_come_after_the_reason_and_before_the_usage() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    stream = [event(chunk({"reasoning": "Hm."})), event(chunk({}, "stop", usage=usage)), DONE]
    decoder = StreamDecoder(COMPATIBLE)
    deltas = [*decoder.feed(b"".join(stream)), *decoder.end()]
    assert [bool(d.thought) for d in deltas] == [False, False, True, False]
    assert deltas[-1].usage == TokenUsage(input=1, output=1)


@pytest.mark.parametrize(
    "logprobs",
    [7, [], {"tokens": ["a"], "token_logprobs": [-1]}, {"content": [{"token": 7}]}],
)
def test_probabilities_of_another_form_cost_nothing_but_themselves(logprobs: object) -> None:
    answer = whole({"content": "Hi"}, logprobs=logprobs)
    assert (answer.text, answer.logprobs) == ("Hi", ())


@pytest.mark.parametrize(
    "extra_content", [None, 7, {}, {"google": None}, {"google": {"thought_signature": 7}}]
)
def test_a_call_without_a_readable_signature_is_a_call_all_the_same(extra_content: object) -> None:
    call = {"id": "c", "function": {"name": "f"}, "extra_content": extra_content}
    answer = heard(event(chunk({"tool_calls": [call]})), event(chunk({}, "tool_calls")))
    assert [(c.id, c.name, c.signature) for c in answer.tool_calls] == [("c", "f", "")]


def test_a_signature_that_is_repeated_is_taken_once() -> None:
    signed = {"google": {"thought_signature": "sig"}}
    pieces = [
        event(chunk({"tool_calls": [{"index": 0, "id": "c", "extra_content": signed, **more}]}))
        for more in ({"function": {"name": "f"}}, {"function": {"arguments": "{}"}})
    ]
    (call,) = heard(*pieces, event(chunk({}, "tool_calls"))).tool_calls
    assert (call.signature, call.arguments) == ("sig", "{}")


def test_what_is_said_with_every_chunk_is_told_once_and_again_when_it_changes() -> None:
    stream = [
        event(chunk({"content": "a"}, service_tier="flex")),
        event(chunk({"content": "b"}, service_tier="flex")),
        event(chunk({"annotations": [{"url": 1}]}, service_tier="default")),
        event(chunk({"annotations": [{"url": 2}]})),
        event(chunk(None, citations=["https://example.org"])),
        END,
    ]
    deltas = list(StreamDecoder().feed(b"".join(stream)))
    assert [dict(delta.extras) for delta in deltas[:2]] == [{"service_tier": "flex"}, {}]
    assert heard(*stream).extras == {
        "service_tier": "default",
        "annotations": [{"url": 1}, {"url": 2}],
        "citations": ["https://example.org"],
    }


def test_a_filter_that_refuses_stays_a_filter() -> None:
    refused = {"content": None, "refusal": "No."}
    assert whole(refused).finish_reason is FinishReason.REFUSAL
    filtered = whole(refused, finish_reason="content_filter")
    assert filtered.finish_reason is FinishReason.CONTENT_FILTER


def test_groqs_usage_is_found_beside_x_groq_alone() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    stream = [
        event(chunk({"content": "a"}, x_groq={"id": "req_1"})),
        event(chunk({}, "stop", x_groq={"id": "req_1", "usage": usage})),
    ]
    answer = heard(*stream, dialect=GROQ)
    assert answer.usage == TokenUsage(input=3, output=2)
    assert answer.extras == {"x_groq.id": "req_1"}
    odds: list[Any] = [7, [], {"usage": 7}, {"usage": {"prompt_tokens": "x"}}]
    for odd in odds:
        answer = heard(event(chunk({"content": "a"}, "stop", x_groq=odd)))
        assert (answer.text, answer.usage) == ("a", None)


def test_what_groq_says_stopped_a_stream_is_an_error() -> None:
    broken = event(chunk({}, x_groq={"id": "req_1", "error": "over capacity"}))
    with pytest.raises(Unavailable):
        heard(event(chunk({"content": "a"})), broken)


def test_tokens_beyond_the_named_ones_are_thoughts() -> None:
    report = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40, "cost": 0.5}
    usage, more = decode_report(json.dumps(report).encode())
    assert usage == TokenUsage(input=10, output=5, reasoning=25)
    assert more == {"usage.cost": 0.5}


def error(code: int, **found: Any) -> dict[str, Any]:
    return {"error": {"code": code, **found}}


MEANINGS: list[tuple[int | None, Any, type[TollkeeperError]]] = [
    (400, {"error": {"message": "x", "code": "model_decommissioned"}}, NotFound),
    (400, {"error": {"message": "x", "code": "json_validate_failed"}}, Rejected),
    (400, {"error": {"message": "x", "code": "tool_use_failed"}}, Rejected),
    (498, {"error": {"message": "x", "code": "capacity_exceeded"}}, Throttled),
    (429, {"error": {"message": "Request too large for gpt-4o. Must be reduced."}}, Rejected),
    (400, error(400, message="prompt is too long: 9 tokens > 8 maximum"), ContextWindowExceeded),
    (400, error(400, message="e", metadata={"raw": "prompt is too long"}), ContextWindowExceeded),
    (400, {"error": "the request exceeds the available context size"}, ContextWindowExceeded),
    (403, error(403, message="x", metadata={"reasons": ["violence"]}), ContentFiltered),
    (403, error(403, message="x", metadata={"reasons": []}), CredentialsRefused),
    (400, [error(400, message="x", status="FAILED_PRECONDITION")], CredentialsRefused),
    (400, [error(400, message="x", details=[{"reason": "API_KEY_INVALID"}])], CredentialsRefused),
    (None, {"code": "Some resource has been exhausted", "error": "x"}, Throttled),
    (None, [error(429, message="x", status="RESOURCE_EXHAUSTED")], Throttled),
    (None, [error(400, message="input token count 9 exceeds the maximum")], ContextWindowExceeded),
    (502, error(502, message="Provider returned error"), Unavailable),
    (
        500,
        {"error": {"message": "maximum context length", "code": "insufficient_quota"}},
        Unavailable,
    ),
]


@pytest.mark.parametrize(("status", "body", "expected"), MEANINGS)
def test_each_providers_words_are_understood(
    status: int | None, body: Any, expected: type[TollkeeperError]
) -> None:
    fault = decode_fault(json.dumps(body).encode(), status=status)
    found = provider_error(fault)
    assert type(found) is expected
    if isinstance(found, PortError):
        assert found.status == status


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (error(429, status="RESOURCE_EXHAUSTED"), "RESOURCE_EXHAUSTED"),
        (error(402), "402"),
        ({"error": {"type": "server_error", "code": None}}, "server_error"),
        ({"error": {"type": "invalid_request_error", "code": "too_long"}}, "too_long"),
        (
            {"code": "Client specified an invalid argument", "error": "x"},
            "Client specified an invalid argument",
        ),
        ({}, ""),
    ],
)
def test_the_providers_own_name_for_it_is_kept(body: Any, name: str) -> None:
    found = provider_error(decode_fault(json.dumps(body).encode(), status=400))
    assert isinstance(found, PortError)
    assert found.provider_code == name


def test_google_says_in_its_details_how_long_to_wait() -> None:
    details = [{"@type": "t", "retryDelay": "37.5s"}]
    fault = decode_fault(json.dumps([error(429, details=details)]).encode(), status=429)
    found = provider_error(fault)
    assert isinstance(found, Throttled)
    assert found.retry_after == timedelta(seconds=37.5)
    by_header = provider_error(fault, {"retry-after": "2"})
    assert isinstance(by_header, Throttled)
    assert by_header.retry_after == timedelta(seconds=2)


def test_a_list_of_one_error_in_the_place_of_an_answer_is_found() -> None:
    body = json.dumps([error(503, status="UNAVAILABLE")]).encode()
    assert isinstance(decode_completion(body), ProviderFault)
    with pytest.raises(Unavailable):
        heard(b"data: " + body + b"\n\n")


@pytest.fixture(scope="module")
def bomb() -> Iterator[OpenaiServer]:
    with openai_server() as server:
        yield server


@pytest.mark.anyio
async def test_a_compressed_answer_is_bounded_by_what_it_becomes(bomb: OpenaiServer) -> None:
    """Ten million spaces are ten thousand bytes on the way."""
    packed = zlib.compressobj(wbits=31)
    data = packed.compress(b" " * 10_000_000) + packed.flush()
    headers = {"content-encoding": "gzip"}
    bomb.plays["bomb"] = lambda _: Play((data,), headers=headers, framing="length")
    bomb.plays["bomb-stream"] = lambda _: Play(
        (data,), headers=headers, content_type="text/event-stream"
    )
    bomb.plays["torn"] = lambda _: Play((data[:100],), headers=headers, framing="length")
    bomb.plays["not-gzip"] = lambda _: Play((b"{}",), headers=headers, framing="length")
    async with OpenaiChatModel(bomb.base_url, largest_response=1_000_000) as model:
        for name in ("bomb", "bomb-stream"):
            with pytest.raises(CorruptResponse, match="larger"):
                await streamed(model, asking(name))
        for name in ("torn", "not-gzip"):
            with pytest.raises(PortError):
                await model.complete(asking(name))
