"""Requests in the OpenAI chat-completions format. Pure: no network, no settings.

The format is described at https://platform.openai.com/docs/api-reference/chat/create.
"""

import base64
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import InvalidRequest, Unsupported
from tollkeeper.domain.messages import ImagePart, Message, Part, Role, TextPart, ToolCall
from tollkeeper.domain.tools import JsonSchema, Tool

MaxTokensField = Literal["max_tokens", "max_completion_tokens"]

OUT_OF_REACH = frozenset(
    {"model", "messages", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens"}
)
"""What ``extra`` may not set: the hold, the price and the reading of the answer rest on it."""


def encode_request(
    request: ChatRequest, *, stream: bool, max_tokens_field: MaxTokensField = "max_tokens"
) -> bytes:
    """Write *request* as the JSON body of ``POST /chat/completions``.

    Raises:
        Unsupported: the format cannot express the request, or ``extra`` reaches too far.
        InvalidRequest: a value in it is no JSON, or its text is no Unicode.
    """
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        max_tokens_field: request.max_tokens,
    }
    for name in ("temperature", "top_p", "seed"):
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    if request.stop:
        body["stop"] = list(request.stop)
    _add_tools(body, request)
    _add_response_format(body, request)
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    if request.extra:
        _add_extra(body, request.extra)
    try:
        return _encoder.encode(body)
    except UnicodeEncodeError as error:
        raise InvalidRequest("the request holds text that is no valid Unicode") from error
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidRequest(
            "a value in tools, response_format or extra cannot be written as JSON"
        ) from error


def _as_plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


_encoder = msgspec.json.Encoder(enc_hook=_as_plain)


def _message(message: Message) -> dict[str, Any]:
    if message.tool_calls and message.role is not Role.ASSISTANT:
        raise Unsupported("tool calls belong to an assistant's message")
    if message.tool_call_id is not None and message.role is not Role.TOOL:
        raise Unsupported("a tool_call_id belongs to a tool's message")
    encoded: dict[str, Any] = {"role": message.role.value, "content": _content(message)}
    if message.tool_calls:
        encoded["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        encoded["tool_call_id"] = message.tool_call_id
    return encoded


def _content(message: Message) -> str | list[dict[str, Any]] | None:
    parts = message.content
    if not parts:
        return None if message.tool_calls else ""
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text  # the form that every compatible server reads
    if message.role is not Role.USER and any(isinstance(part, ImagePart) for part in parts):
        raise Unsupported("only a user's message can hold images")
    return [_part(part) for part in parts]


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    url = part.url
    if url is None:
        data = base64.b64encode(part.data or b"").decode("ascii")
        url = f"data:{part.media_type};base64,{data}"
    return {"type": "image_url", "image_url": {"url": url}}


def _tool_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": function}


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.parameters}
    if tool.description:
        function["description"] = tool.description
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _add_tools(body: dict[str, Any], request: ChatRequest) -> None:
    choice = request.tool_choice
    if not request.tools:
        if choice == "required":
            raise Unsupported('tool_choice "required" needs tools to choose from')
        return
    body["tools"] = [_tool(tool) for tool in request.tools]
    if choice in ("none", "required"):
        body["tool_choice"] = choice
    elif choice != "auto":
        body["tool_choice"] = {"type": "function", "function": {"name": choice}}


def _add_response_format(body: dict[str, Any], request: ChatRequest) -> None:
    wanted = request.response_format
    if isinstance(wanted, JsonSchema):
        schema = {"name": wanted.name, "schema": wanted.schema, "strict": wanted.strict}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif wanted == "json":
        body["response_format"] = {"type": "json_object"}


def _add_extra(body: dict[str, Any], extra: Mapping[str, Any]) -> None:
    refused = sorted(OUT_OF_REACH & extra.keys())
    if refused:
        raise Unsupported(f"extra may not set {', '.join(refused)}: the request itself does")
    body.update(extra)
