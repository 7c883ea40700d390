"""Requests to the Messages API. Pure: no network, no settings.

The format is described at https://docs.claude.com/en/api/messages.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tollkeeper.adapters.anthropic.content import turns
from tollkeeper.adapters.wire.extras import laid_over
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import InvalidRequest, Unsupported
from tollkeeper.domain.prompt_cache import MOST_BREAKPOINTS, PromptCache, breakpoints
from tollkeeper.domain.tools import JsonSchema, Tool

OUT_OF_REACH = frozenset(
    {
        "model",
        "messages",
        "system",
        "max_tokens",
        "stream",
        "tools",
        "mcp_servers",
        "speed",
        "inference_geo",
        "service_tier",
    }
)
"""What ``extra`` may not set: the hold, the price and the reading of the answer rest on it."""

OWN_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "transfer-encoding",
        "x-api-key",
    }
)
"""What a quirk's headers may not set: the connection and the key rest on it."""
_BYTES_PER_TOKEN = 4


def encode_request(request: ChatRequest, *, stream: bool) -> bytes:
    """Write *request*, which fits the API, as the JSON body of ``POST /v1/messages``.

    Raises:
        Unsupported: the API cannot express the request, or ``extra`` reaches too far.
        InvalidRequest: a value in it is no JSON, or its text is no Unicode.
    """
    marked = breakpoints(request)
    mark = _mark(request.prompt_cache)
    system, messages = turns(request.messages, marked, mark)
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": messages,
    }
    if system:
        body["system"] = system
    for name in ("temperature", "top_p", "service_tier"):
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    if request.user is not None:
        body["metadata"] = {"user_id": request.user}
    _add_tools(body, request, mark if len(marked) < MOST_BREAKPOINTS else None)
    _add_output(body, request)
    if stream:
        body["stream"] = True
    for extra in (request.quirks.extra, request.extra):
        body = _with_extra(body, extra)
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


def _mark(policy: PromptCache | None) -> dict[str, Any]:
    if policy is None or policy.ttl == "5m":
        return {"type": "ephemeral"}
    return {"type": "ephemeral", "ttl": policy.ttl}


def _add_tools(body: dict[str, Any], request: ChatRequest, mark: Mapping[str, Any] | None) -> None:
    if not request.tools:
        if request.tool_choice == "required":
            raise Unsupported('tool_choice "required" needs tools to choose from')
        return
    body["tools"] = [_tool(tool) for tool in request.tools]
    if mark is not None and _worth_keeping(request):
        body["tools"][-1]["cache_control"] = mark
    choice: dict[str, Any] = _choice(request.tool_choice)
    if request.parallel_tool_calls is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    if choice != {"type": "auto"}:
        body["tool_choice"] = choice


def _choice(wanted: str) -> dict[str, Any]:
    if wanted in ("auto", "none"):
        return {"type": wanted}
    return {"type": "any"} if wanted == "required" else {"type": "tool", "name": wanted}


def _tool(tool: Tool) -> dict[str, Any]:
    written: dict[str, Any] = {"name": tool.name, "input_schema": tool.parameters}
    if tool.description:
        written["description"] = tool.description
    if tool.strict:
        written["strict"] = True
    return written


def _worth_keeping(request: ChatRequest) -> bool:
    """Whether the tools alone are as long as the policy's shortest prefix."""
    if request.prompt_cache is None:
        return False
    size = sum(len(repr(dict(tool.parameters))) + len(tool.description) for tool in request.tools)
    return size >= request.prompt_cache.minimum_tokens * _BYTES_PER_TOKEN


def _add_output(body: dict[str, Any], request: ChatRequest) -> None:
    """Add how the answer is formed, and how much is thought before."""
    output: dict[str, Any] = {}
    effort, budget = request.reasoning_effort, request.reasoning_budget
    if effort == "none":
        body["thinking"] = {"type": "disabled"}
    elif budget is not None:
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}
    elif effort is not None:
        body["thinking"] = {"type": "adaptive"}
    if effort not in (None, "none"):
        output["effort"] = effort
    if isinstance(request.response_format, JsonSchema):
        output["format"] = {"type": "json_schema", "schema": request.response_format.schema}
    if output:
        body["output_config"] = output


def _with_extra(body: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    refused = sorted(OUT_OF_REACH & extra.keys())
    if refused:
        raise Unsupported(f"extra may not set {', '.join(refused)}: the request itself does")
    return laid_over(body, extra)


def extra_headers(request: ChatRequest) -> dict[str, str]:
    """Return the headers that the model's quirks ask for.

    Raises:
        Unsupported: one of them belongs to the connection, or cannot be sent.
    """
    headers = {name.lower(): text for name, text in request.quirks.headers.items()}
    refused = sorted(OWN_HEADERS & headers.keys())
    if refused:
        raise Unsupported(f"quirks may not set the headers {', '.join(refused)}")
    for name, text in headers.items():
        if not (name and _is_sendable(name) and _is_sendable(text)) or set(name) & set(" :"):
            raise Unsupported(f"the header {name!r} of a quirk cannot be sent")
    return headers


def _is_sendable(text: str) -> bool:
    return text.isascii() and text.isprintable()
