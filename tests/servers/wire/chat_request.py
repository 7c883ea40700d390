"""What a chat-completions request asks for, and the documented rules it may break."""

from collections.abc import Iterator
from typing import Any

from tests.servers.wire.answer import Json
from tests.servers.wire.echo import Asked

STRICT = "strict"
"""A model with this in its name also asks for the signatures that it gave."""


def asked_of(body: Json, *, signs: bool) -> Asked:
    """Read *body*."""
    messages = body["messages"]
    last = messages[-1]
    choice = body.get("tool_choice") or "auto"
    return Asked(
        model=body["model"],
        text=text_of(last.get("content")),
        words_read=sum(len(text_of(message.get("content")).split()) for message in messages),
        bound=body.get("max_completion_tokens") or body.get("max_tokens") or 1_000_000,
        tools={
            tool["function"]["name"]: tool["function"].get("parameters") or {}
            for tool in body.get("tools") or ()
            if tool.get("type") == "function"
        },
        tool_choice=choice["function"]["name"] if isinstance(choice, dict) else choice,
        parallel=body.get("parallel_tool_calls") is not False,
        after_tool=last["role"] == "tool",
        schema=_schema(body.get("response_format") or {}),
        stops=_stops(body.get("stop")),
        reasons=bool(body.get("reasoning_effort") or body.get("reasoning")),
        signs=signs,
        logprobs=bool(body.get("logprobs")),
    )


def text_of(content: Any) -> str:
    """Return the texts of a message; other parts in brackets."""
    if isinstance(content, str):
        return content
    return " ".join(_part(part) for part in content or ())


def _part(part: Json) -> str:
    kind = part.get("type")
    if kind == "text":
        return str(part["text"])
    if kind == "image_url":
        return f"[{part['image_url']['url'][:30]}]"
    if kind == "input_audio":
        return f"[audio/{part['input_audio']['format']}]"
    return f"[{kind}]"


def _schema(wanted: Json) -> Json | None:
    kind = wanted.get("type", "text")
    if kind == "json_schema":
        schema: Json = wanted["json_schema"]["schema"]
        return schema
    return {} if kind == "json_object" else None


def _stops(stop: Any) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop or ())


def complaint_of(body: Any, *, signs: bool) -> str:
    """Say what is wrong with *body*; empty if nothing is."""
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        return "you must provide a model parameter"
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return "'messages' must not be empty"
    if not body.get("stream") and body.get("stream_options") is not None:
        return "The 'stream_options' parameter is only allowed when 'stream' is enabled."
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        return "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
    if body.get("tools") == []:
        return "[] is too short - 'tools'"
    return next(_broken_rules(messages, signs=signs and STRICT in body["model"]), "")


def _broken_rules(messages: list[Json], *, signs: bool) -> Iterator[str]:
    open_calls: set[str] = set()
    for message in messages:
        role = message.get("role")
        if role not in ("system", "developer", "user", "assistant", "tool", "function"):
            yield f"Invalid value: '{role}' for 'messages[].role'"
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                yield (
                    "messages with role 'tool' must be a response to a preceding message with "
                    "'tool_calls'."
                )
            open_calls.discard(message.get("tool_call_id", ""))
            continue
        if open_calls:
            yield (
                "An assistant message with 'tool_calls' must be followed by tool messages "
                "responding to each 'tool_call_id'."
            )
        calls = message.get("tool_calls") or []
        open_calls = {call["id"] for call in calls}
        if role == "assistant" and not calls and message.get("content") is None:
            yield "'content' is required when there are no 'tool_calls'"
        if signs and calls and not _signature(calls[0]):
            yield "Function call is missing a thought_signature in functionCall parts."


def _signature(call: Json) -> str:
    google = (call.get("extra_content") or {}).get("google") or {}
    return str(google.get("thought_signature") or "")
