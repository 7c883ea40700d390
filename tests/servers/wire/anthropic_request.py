"""What a request to Anthropic's Messages API asks for, and the documented rules it may break.

Source: https://docs.claude.com/en/api/messages.
"""

from collections.abc import Iterator
from typing import Any

from tests.servers.wire.answer import Json
from tests.servers.wire.chat_request import STRICT
from tests.servers.wire.echo import Asked

_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_MOST_BREAKPOINTS = 4


def asked_of(body: Json) -> Asked:
    """Read *body*."""
    messages = body["messages"]
    last = messages[-1]
    choice = body.get("tool_choice") or {"type": "auto"}
    texts = [text_of(message["content"]) for message in messages] + [text_of(body.get("system"))]
    return Asked(
        model=body["model"],
        text=text_of(last["content"]),
        words_read=sum(len(text.split()) for text in texts),
        bound=body["max_tokens"],
        tools={tool["name"]: tool.get("input_schema") or {} for tool in body.get("tools") or ()},
        tool_choice=_CHOICES.get(choice["type"]) or choice["name"],
        parallel=not choice.get("disable_parallel_tool_use"),
        after_tool=any(block.get("type") == "tool_result" for block in blocks_of(last["content"])),
        schema=_schema(body),
        stops=tuple(body.get("stop_sequences") or ()),
        reasons=(body.get("thinking") or {}).get("type") in ("enabled", "adaptive"),
        signs=True,
    )


def blocks_of(content: Any) -> list[Json]:
    """Return the blocks of *content*; a text is one block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return list(content or ())


def text_of(content: Any) -> str:
    """Return the texts in *content*; other blocks in brackets."""
    found = (_block(block) for block in blocks_of(content))
    return " ".join(text for text in found if text)


def _block(block: Json) -> str:
    kind = block["type"]
    if kind == "text":
        return str(block["text"])
    if kind == "tool_result":
        return text_of(block.get("content"))
    if kind == "image":
        source = block["source"]
        if source["type"] == "url":
            return f"[{source['url'][:30]}]"
        return f"[{('data:' + source['media_type'] + ';base64,' + source['data'])[:30]}]"
    return "" if kind in ("tool_use", "thinking", "redacted_thinking") else f"[{kind}]"


def _schema(body: Json) -> Json | None:
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    schema: Json | None = wanted.get("schema")
    return schema


def complaint_of(body: Any, headers: dict[str, str]) -> str:
    """Say what is wrong with *body* or *headers*; empty if nothing is."""
    if "anthropic-version" not in headers:
        return "anthropic-version: header is required"
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        return "model: Field required"
    bound = body.get("max_tokens")
    if type(bound) is not int or bound < 1:
        return "max_tokens: Field required"
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return "messages: at least one message is required"
    if str(body).count("'cache_control':") > _MOST_BREAKPOINTS:
        return "A maximum of 4 blocks with cache_control may be provided."
    thinking = body.get("thinking") or {}
    if thinking.get("type") == "enabled" and not 1_024 <= thinking["budget_tokens"] < bound:
        return "`max_tokens` must be greater than `thinking.budget_tokens`."
    return next(_broken_rules(body, messages), "")


def _broken_rules(body: Json, messages: list[Json]) -> Iterator[str]:
    if messages[0]["role"] != "user":
        yield 'messages: first message must use the "user" role'
    open_calls: set[str] = set()
    for message in messages:
        if message["role"] not in ("user", "assistant"):
            yield f'messages: Unexpected role "{message["role"]}".'
        blocks = blocks_of(message["content"])
        if not blocks or any(b["type"] == "text" and not b["text"].strip() for b in blocks):
            yield "messages: text content blocks must be non-empty"
        answered = {b["tool_use_id"] for b in blocks if b["type"] == "tool_result"}
        if answered - open_calls:
            yield "unexpected `tool_use_id` found in `tool_result` blocks"
        if open_calls - answered:
            yield "`tool_use` ids were found without `tool_result` blocks immediately after"
        open_calls = {b["id"] for b in blocks if b["type"] == "tool_use"}
        thoughts = [b for b in blocks if b["type"] == "thinking"]
        if any(not b.get("signature") for b in thoughts):
            yield "thinking.signature: Field required"
        strict = STRICT in body["model"] and (body.get("thinking") or {}).get("type") == "enabled"
        if strict and open_calls and blocks[0]["type"] not in ("thinking", "redacted_thinking"):
            yield "Expected `thinking` or `redacted_thinking`, but found `tool_use`."
