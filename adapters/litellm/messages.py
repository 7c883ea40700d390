"""Messages and their parts as litellm takes them: in the chat-completions format. Pure."""

import base64
from collections.abc import Collection, Sequence
from typing import Any

from tollkeeper.adapters.litellm.styles import Style
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import Unsupported
from tollkeeper.domain.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolCall,
)
from tollkeeper.domain.prompt_cache import breakpoints

_FAILED_TOOL = "Error: "


def encode_messages(request: ChatRequest, style: Style) -> list[dict[str, Any]]:
    """Write the messages of *request*, with the marks of its prompt cache.

    The format cannot say that a tool failed: the result of one that did begins with ``Error:``.

    Raises:
        Unsupported: the format, or litellm, cannot express a message.
    """
    marks: Collection[int] = ()
    if request.prompt_cache is not None and style.marks_cache:
        marks = breakpoints(request)
    encoded = [_message(message, style) for message in request.messages]
    for place in marks:
        _mark(encoded[place], request)
    return encoded


def _mark(message: dict[str, Any], request: ChatRequest) -> None:
    """Ask to keep everything up to the end of *message*."""
    cache = request.prompt_cache
    control = {"type": "ephemeral"}
    if cache is not None and cache.ttl != "5m":
        control["ttl"] = cache.ttl
    if message["role"] == "tool":
        message["cache_control"] = control
        return
    content = message["content"]
    if isinstance(content, str):
        content = message["content"] = [{"type": "text", "text": content}]
    content[-1]["cache_control"] = control


def _message(message: Message, style: Style) -> dict[str, Any]:
    role = message.role
    if message.tool_call_id is not None and role is not Role.TOOL:
        raise Unsupported("a tool_call_id belongs to a tool's message")
    encoded: dict[str, Any] = {"role": role.value, "content": _content(message, style)}
    if message.tool_calls:
        encoded["tool_calls"] = [_tool_call(call, style) for call in message.tool_calls]
    if message.tool_call_id is not None:
        encoded["tool_call_id"] = message.tool_call_id
    if role is Role.ASSISTANT and style.thoughts:
        thoughts = [part for part in message.content if isinstance(part, ReasoningPart)]
        if thoughts:
            encoded.update(_thoughts(thoughts, style))
    return encoded


def _thoughts(thoughts: Sequence[ReasoningPart], style: Style) -> dict[str, Any]:
    text = "".join(thought.text for thought in thoughts)
    if style.thoughts == "thinking_blocks":
        return {"thinking_blocks": [_thinking_block(thought) for thought in thoughts]}
    if style.thoughts == "reasoning_details":
        return {"reasoning_details": [_detail(n, thought) for n, thought in enumerate(thoughts)]}
    if style.thoughts == "gemini":
        signatures = [thought.signature for thought in thoughts if thought.signature]
        if not signatures:
            return {}
        fields = {"thought_signatures": signatures[-1:]}  # litellm gives it back with the text
        return {"provider_specific_fields": fields, **({"reasoning_content": text} if text else {})}
    return {"reasoning_content": text}


def _thinking_block(thought: ReasoningPart) -> dict[str, str]:
    if thought.redacted:
        return {"type": "redacted_thinking", "data": thought.redacted}
    return {"type": "thinking", "thinking": thought.text, "signature": thought.signature}


def _detail(index: int, thought: ReasoningPart) -> dict[str, Any]:
    if thought.redacted:
        detail: dict[str, Any] = {"type": "reasoning.encrypted", "data": thought.redacted}
        return detail | {"index": index} | ({"id": thought.signature} if thought.signature else {})
    detail = {"type": "reasoning.text", "text": thought.text, "index": index}
    return detail | ({"signature": thought.signature} if thought.signature else {})


def _content(message: Message, style: Style) -> str | list[dict[str, Any]] | None:
    parts = tuple(part for part in message.content if not isinstance(part, ReasoningPart))
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return f"{_FAILED_TOOL}{parts[0].text}" if message.is_error else parts[0].text
    if message.role is not Role.USER:
        if not all(isinstance(part, TextPart) for part in parts):
            raise Unsupported("only a user's message can hold images, sound or files")
        text = "".join(part.text for part in parts if isinstance(part, TextPart))
        if message.is_error:
            return f"{_FAILED_TOOL}{text}"
        return text or (None if message.tool_calls else "")
    return [_part(part, style) for part in parts] or ""


def _part(part: Part, style: Style) -> dict[str, Any]:
    if isinstance(part, ImagePart):
        if part.url is not None and not (style.image_urls and _is_passed_on(part.url, style)):
            # litellm would fetch it itself, before anybody could look where it leads.
            raise Unsupported("the provider takes images as their bytes, not by address")
        url = part.url or _data_url(part.data, part.media_type)
        return {"type": "image_url", "image_url": {"url": url}}
    if isinstance(part, AudioPart):
        sound = {"data": base64.b64encode(part.data).decode("ascii"), "format": part.format}
        return {"type": "input_audio", "input_audio": sound}
    if isinstance(part, FilePart):
        if part.url is not None:
            raise Unsupported("the provider takes files as their bytes, not by address")
        data = _data_url(part.data, part.media_type)
        return {"type": "file", "file": {"filename": part.name, "file_data": data}}
    assert isinstance(part, TextPart)
    return {"type": "text", "text": part.text}


def _is_passed_on(url: str, style: Style) -> bool:
    return style.route != "anthropic" or url.startswith("https://")


def _data_url(data: bytes | None, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data or b'').decode('ascii')}"


def _tool_call(call: ToolCall, style: Style) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    encoded: dict[str, Any] = {"id": call.id, "type": "function", "function": function}
    if call.signature and style.signs_calls:
        encoded["provider_specific_fields"] = {"thought_signature": call.signature}
    return encoded
