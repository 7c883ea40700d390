"""Messages and their parts in the OpenAI chat-completions format. Pure."""

import base64
from collections.abc import Collection
from typing import Any

from tollkeeper.adapters.openai.dialects import Dialect
from tollkeeper.adapters.openai.reasoning import as_details
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

_MARKED_MODELS = ("anthropic/", "google/", "~anthropic/", "~google/")
_FAILED_TOOL = "Error: "


def encode_messages(request: ChatRequest, dialect: Dialect) -> list[dict[str, Any]]:
    """Write the messages of *request*, with the marks of its prompt cache.

    The format cannot say that a tool failed: the result of one that did begins with ``Error:``.

    Raises:
        Unsupported: the format cannot express a message.
    """
    marks: Collection[int] = ()
    if request.prompt_cache is not None and dialect.marks_cache:
        marks = breakpoints(request) if request.model.startswith(_MARKED_MODELS) else ()
    encoded = [_message(message, request, dialect) for message in request.messages]
    for place in marks:
        _mark(encoded[place], request)
    return encoded


def _mark(message: dict[str, Any], request: ChatRequest) -> None:
    """Ask to keep everything up to the end of *message*."""
    cache = request.prompt_cache
    control = {"type": "ephemeral"}
    if cache is not None and cache.ttl != "5m":
        control["ttl"] = cache.ttl
    content = message["content"]
    if isinstance(content, str):
        content = message["content"] = [{"type": "text", "text": content}]
    content[-1]["cache_control"] = control


def _message(message: Message, request: ChatRequest, dialect: Dialect) -> dict[str, Any]:
    role = message.role
    if message.tool_call_id is not None and role is not Role.TOOL:
        raise Unsupported("a tool_call_id belongs to a tool's message")
    encoded: dict[str, Any] = {"role": role.value, "content": _content(message, dialect)}
    if message.tool_calls:
        encoded["tool_calls"] = [_tool_call(call, dialect) for call in message.tool_calls]
    if message.tool_call_id is not None:
        encoded["tool_call_id"] = message.tool_call_id
    if role is Role.ASSISTANT and dialect.thoughts:
        thoughts = [part for part in message.content if isinstance(part, ReasoningPart)]
        if thoughts and dialect.thoughts == "reasoning_details":
            encoded["reasoning_details"] = as_details(thoughts, request.model)
        elif thoughts:
            encoded["reasoning_content"] = "".join(thought.text for thought in thoughts)
    return encoded


def _content(message: Message, dialect: Dialect) -> str | list[dict[str, Any]] | None:
    parts = message.content
    # The form that every compatible server reads, and the most frequent one.
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return f"{_FAILED_TOOL}{parts[0].text}" if message.is_error else parts[0].text
    if any(isinstance(part, ReasoningPart) for part in parts):
        parts = tuple(part for part in parts if not isinstance(part, ReasoningPart))
        if len(parts) == 1 and isinstance(parts[0], TextPart):
            return parts[0].text
    if message.role is not Role.USER and not all(isinstance(part, TextPart) for part in parts):
        raise Unsupported("only a user's message can hold images, sound or files")
    if not parts:
        return None if message.tool_calls else _FAILED_TOOL if message.is_error else ""
    if message.is_error:
        parts = (TextPart(_FAILED_TOOL), *parts)
    return [_part(part, dialect) for part in parts]


def _part(part: Part, dialect: Dialect) -> dict[str, Any]:
    if isinstance(part, ImagePart):
        url = part.url or _data_url(part.data, part.media_type)
        return {"type": "image_url", "image_url": {"url": url}}
    if isinstance(part, AudioPart):
        if part.format not in dialect.audio_formats:
            raise Unsupported(
                f"the provider takes sound as {', '.join(dialect.audio_formats)}; "
                f"{part.format} must be converted"
            )
        sound = {"data": base64.b64encode(part.data).decode("ascii"), "format": part.format}
        return {"type": "input_audio", "input_audio": sound}
    if isinstance(part, FilePart):
        if part.url is not None and not dialect.file_urls:
            raise Unsupported("the provider takes files as their bytes, not by address")
        data = part.url or _data_url(part.data, part.media_type)
        return {"type": "file", "file": {"filename": part.name, "file_data": data}}
    assert isinstance(part, TextPart)
    return {"type": "text", "text": part.text}


def _data_url(data: bytes | None, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data or b'').decode('ascii')}"


def _tool_call(call: ToolCall, dialect: Dialect) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    encoded: dict[str, Any] = {"id": call.id, "type": "function", "function": function}
    if call.signature and dialect.signs_calls:
        encoded["extra_content"] = {"google": {"thought_signature": call.signature}}
    return encoded
