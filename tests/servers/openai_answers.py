"""What a chat-completions server says: a small model without a mind, and its answers as JSON.

Written from the published format alone; it shares no code with the adapter that it tests.
"""

import json
from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]
MODEL = "echo-2001"
_WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog"]


def last_text(body: Json) -> str:
    """Return the text of the last message."""
    content = body["messages"][-1].get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(
        part["text"] if part["type"] == "text" else f"[{part['image_url']['url'][:30]}]"
        for part in content
    )


def words_of(body: Json) -> list[str]:
    """Return the pieces of the answer: the last text again, or JSON where JSON was asked for."""
    wanted = body.get("response_format", {}).get("type", "text")
    text = last_text(body) or "(nothing)"
    if wanted == "json_object":
        text = json.dumps({"answer": text})
    if wanted == "json_schema":
        schema = body["response_format"]["json_schema"]["schema"]
        text = json.dumps(dict.fromkeys(schema.get("properties", {}), text))
    words = text.split(" ")
    return [word if place == 0 else f" {word}" for place, word in enumerate(words)]


def called_tools(body: Json) -> list[Json]:
    """Return the call that is due: of the tool that must be called, or that the text names."""
    choice, functions = (
        body.get("tool_choice", "auto"),
        [t["function"] for t in body.get("tools", ())],
    )
    if choice == "auto":
        functions = [f for f in functions if f["name"] in last_text(body)]
    elif isinstance(choice, dict):
        functions = [f for f in functions if f["name"] == choice["function"]["name"]]
    if not functions or choice == "none" or body["messages"][-1]["role"] == "tool":
        return []
    function = functions[0]
    fields = function["parameters"].get("properties", {})
    arguments = json.dumps(dict.fromkeys(fields, "Zürich 🚠"), ensure_ascii=False)
    return [
        {
            "id": "call_0",
            "type": "function",
            "function": {"name": function["name"], "arguments": arguments},
        }
    ]


def bound_of(body: Json) -> int:
    """Return how many tokens, here words, may be written."""
    bound: int = body.get("max_completion_tokens") or body.get("max_tokens") or 1_000_000
    return bound


def usage_of(body: Json, written: int) -> Json:
    """Count a token a word; one of those read came from the cache."""
    read = sum(len(str(message.get("content")).split()) for message in body["messages"])
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": 1, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def completion(body: Json) -> Json:
    """Answer *body* whole."""
    calls, words = called_tools(body), words_of(body)
    said = [] if calls else words[: bound_of(body)]
    message: Json = {"role": "assistant", "content": "".join(said) or None}
    if calls:
        message["tool_calls"] = calls
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 978_307_200,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": _reason(calls, said, words)}],
        "usage": usage_of(body, len(said) or 5),
    }


def _reason(calls: list[Json], said: list[str], words: list[str]) -> str:
    return "tool_calls" if calls else "stop" if len(said) == len(words) else "length"


def chunk(delta: Json | None, reason: str | None = None, **more: Any) -> Json:
    """Make one chunk; without a delta it has no choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 978_307_200,
        "model": MODEL,
        "choices": [] if delta is None else [choice],
        **more,
    }


def chunks(body: Json, *, usage: bool = True) -> list[Json]:
    """Answer *body* in chunks: the role, the pieces, the reason, and at last the usage."""
    calls, words = called_tools(body), words_of(body)
    said = [] if calls else words[: bound_of(body)]
    found = [chunk({"role": "assistant", "content": ""})]
    for index, call in enumerate(calls):
        found += call_chunks(index, call, call["function"]["arguments"].split(" "))
    found += [chunk({"content": word}) for word in said]
    found.append(chunk({}, _reason(calls, said, words)))
    if usage and body.get("stream_options", {}).get("include_usage"):
        found.append(chunk(None, usage=usage_of(body, len(said) or 5)))
    return found


def call_chunks(index: int, call: Json, pieces: Sequence[str]) -> list[Json]:
    """Send a tool call: its id and name first, then *pieces* of its arguments."""
    name = {"name": call["function"]["name"], "arguments": ""}
    begin = {"index": index, "id": call["id"], "type": "function", "function": name}
    rest = [piece if place == 0 else f" {piece}" for place, piece in enumerate(pieces)]
    return [chunk({"tool_calls": [begin]})] + [
        chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        for piece in rest
    ]


def event(data: Json | str) -> bytes:
    """Write one server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


def error(message: str, *, kind: str = "invalid_request_error", code: str | None = None) -> bytes:
    """Write an error's body."""
    found = {"message": message, "type": kind, "param": None, "code": code}
    return json.dumps({"error": found}).encode()
