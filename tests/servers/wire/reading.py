"""A plain reader of each format, for the tests of the servers and of the corpus.

It takes good answers alone, and shares no code with an adapter.
"""

import json
from collections.abc import Iterable
from typing import Any

from attrs import Factory, define, frozen

from tests.servers.wire.answer import Answer, Json, Pools
from tests.servers.wire.sse import read_events


@frozen
class Heard:
    """What a client knows after an answer; each tool call by name and arguments."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    refusal: str = ""
    finish: str = ""
    usage: Pools | None = None

    @classmethod
    def of(cls, answer: Answer) -> "Heard":
        """Return what *answer* says."""
        return cls(
            answer.whole_text,
            answer.whole_reasoning,
            tuple((call.name, _plain(call.whole)) for call in answer.calls),
            answer.refusal,
            "refusal" if answer.refusal and answer.finish == "stop" else answer.finish,
            answer.usage,
        )


def read_whole(provider: str, body: bytes | str) -> Heard:
    """Read a body of *provider*."""
    found = json.loads(body)
    if provider == "anthropic":
        return _anthropic_whole(found)
    if provider == "gemini-native":
        return _gemini([found])
    message = found["choices"][0]["message"]
    calls = [(c["function"]["name"], c["function"]["arguments"]) for c in _list(message)]
    return _chat(provider, message, calls, found["choices"][0]["finish_reason"], found)


def read_stream(provider: str, stream: bytes) -> Heard:
    """Read a stream of *provider* to its end; the terminal event must be there."""
    events = read_events(stream)
    if provider == "anthropic":
        assert events[-1][0] == "message_stop"
        return _anthropic_stream([json.loads(data) for _, data in events])
    if provider == "gemini-native":
        return _gemini([json.loads(data) for _, data in events])
    assert events[-1][1] == "[DONE]"
    return _chat_stream(provider, [json.loads(data) for _, data in events[:-1]])


def _chat_stream(provider: str, chunks: Iterable[Json]) -> Heard:
    message: Json = {}
    calls: list[list[Any]] = []
    by_index: dict[int, list[Any]] = {}
    finish, usage = "", Json()
    for chunk in chunks:
        assert "error" not in chunk
        usage = chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage") or usage
        for choice in chunk["choices"]:
            delta = choice.get("delta") or {}
            finish = choice.get("finish_reason") or finish
            for name in ("content", "refusal", "reasoning", "reasoning_content"):
                if delta.get(name):
                    message[name] = message.get(name, "") + delta[name]
            for piece in _list(delta):
                index, id_ = piece.get("index", 0), piece.get("id") or ""
                # An id that is new begins a call, whatever its index says.
                if id_ and id_ not in [call[0] for call in calls]:
                    by_index[index] = [id_, "", ""]
                    calls.append(by_index[index])
                call = by_index[index]
                call[1] = call[1] or piece["function"].get("name") or ""
                call[2] += piece["function"].get("arguments") or ""
    named = [(call[1], call[2]) for call in calls]
    return _chat(provider, message, named, finish, {"usage": usage or None})


def _chat(
    provider: str, message: Json, calls: list[tuple[str, str]], finish: str, body: Json
) -> Heard:
    if calls and finish == "stop":
        finish = "tool_calls"
    if message.get("refusal") and finish == "stop":
        finish = "refusal"
    return Heard(
        message.get("content") or "",
        message.get("reasoning_content") or message.get("reasoning") or "",
        tuple((name, _plain(arguments)) for name, arguments in calls),
        message.get("refusal") or "",
        finish,
        chat_pools(body.get("usage") or (body.get("x_groq") or {}).get("usage")),
    )


def chat_pools(usage: Json | None) -> Pools | None:
    """Read a ``usage``; what the total has and the parts have not is reasoning beside them."""
    if usage is None:
        return None
    read = usage.get("prompt_tokens_details") or {}
    written = usage.get("completion_tokens_details") or {}
    cached, cache_write = read.get("cached_tokens") or 0, read.get("cache_write_tokens") or 0
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    beside = usage["total_tokens"] - prompt - completion
    reasoning = beside or written.get("reasoning_tokens") or 0
    return Pools(
        input=prompt - cached - cache_write,
        output=completion if beside else completion - reasoning,
        cached_input=cached,
        cache_write=cache_write,
        reasoning=reasoning,
    )


_ANTHROPIC = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "paused",
    "refusal": "refusal",
}


def _anthropic_whole(message: Json) -> Heard:
    blocks = message["content"]
    used = message.get("usage")
    return Heard(
        "".join(block["text"] for block in blocks if block["type"] == "text"),
        "".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
        tuple((b["name"], _plain(json.dumps(b["input"]))) for b in blocks if _is_call(b)),
        "",
        _ANTHROPIC[message["stop_reason"]],
        None if used is None else _anthropic_pools(used),
    )


def _is_call(block: Json) -> bool:
    return bool(block["type"] == "tool_use")


@define
class _Gathered:
    message: Json = Factory(dict)
    blocks: list[Json] = Factory(list)
    arguments: list[str] = Factory(list)


def _anthropic_stream(events: list[Json]) -> Heard:
    gathered = _Gathered()
    for event in events:
        kind = event["type"]
        assert kind != "error"
        if kind == "message_start":
            gathered.message = dict(event["message"])
        elif kind == "content_block_start":
            assert event["index"] == len(gathered.blocks)
            gathered.blocks.append(dict(event["content_block"]))
            gathered.arguments.append("")
        elif kind == "content_block_delta":
            _add(gathered, event["index"], event["delta"])
        elif kind == "message_delta":
            used = {**gathered.message.get("usage", {}), **event.get("usage", {})}
            gathered.message |= event["delta"] | ({"usage": used} if used else {})
    for block, arguments in zip(gathered.blocks, gathered.arguments, strict=True):
        if _is_call(block):
            block["input"] = json.loads(arguments or "{}")
    return _anthropic_whole({**gathered.message, "content": gathered.blocks})


def _add(gathered: _Gathered, index: int, delta: Json) -> None:
    if delta["type"] == "input_json_delta":
        gathered.arguments[index] += delta["partial_json"]
        return
    for name in ("text", "thinking", "signature"):
        if name in delta:
            gathered.blocks[index][name] += delta[name]


def _anthropic_pools(used: Json) -> Pools:
    thought = (used.get("output_tokens_details") or {}).get("thinking_tokens") or 0
    return Pools(
        input=used["input_tokens"],
        output=used["output_tokens"] - thought,
        cached_input=used.get("cache_read_input_tokens") or 0,
        cache_write=used.get("cache_creation_input_tokens") or 0,
        reasoning=thought,
    )


def _gemini(responses: list[Json]) -> Heard:
    parts: list[Json] = []
    finish, used = "", Json()
    for response in responses:
        candidate = response["candidates"][0]
        parts += candidate["content"]["parts"]
        finish = candidate.get("finishReason") or finish
        used = response.get("usageMetadata") or used
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    reasons = {"STOP": "tool_calls" if calls else "stop", "MAX_TOKENS": "length"}
    cached = used.get("cachedContentTokenCount", 0)
    return Heard(
        "".join(part.get("text", "") for part in parts if not part.get("thought")),
        "".join(part["text"] for part in parts if part.get("thought")),
        tuple((call["name"], _plain(json.dumps(call["args"]))) for call in calls),
        "",
        reasons.get(finish, "content_filter"),
        Pools(
            input=used["promptTokenCount"] - cached,
            output=used.get("candidatesTokenCount", 0),
            cached_input=cached,
            reasoning=used.get("thoughtsTokenCount", 0),
        )
        if used
        else None,
    )


def _list(message: Json) -> list[Json]:
    return message.get("tool_calls") or []


def _plain(arguments: str) -> str:
    """Write *arguments* in one way, whatever the way they came."""
    return json.dumps(json.loads(arguments or "{}"), ensure_ascii=False, sort_keys=True)
