"""Requests in the OpenAI chat-completions format. Pure: no network, no settings.

The format is described at https://platform.openai.com/docs/api-reference/chat/create; what a
server does in another way is its dialect's to say.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tollkeeper.adapters.openai.dialects import MAX_TOKENS_FIELDS, OPENAI, Dialect
from tollkeeper.adapters.openai.messages import encode_messages
from tollkeeper.adapters.wire.extras import laid_over
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import InvalidRequest, Unsupported
from tollkeeper.domain.quirks import NO_QUIRKS, Quirks, adapt
from tollkeeper.domain.tools import JsonSchema, Tool

OUT_OF_REACH = frozenset(
    {"model", "messages", "stream", "stream_options", "usage", "n", *MAX_TOKENS_FIELDS}
)
"""What ``extra`` may not set: the hold, the price and the reading of the answer rest on it."""
_AS_THEY_ARE = (
    "temperature",
    "top_p",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "service_tier",
    "user",
)
_NO_METADATA = Quirks(unsupported=["metadata"])
_NO_EFFORT = Quirks(unsupported=["reasoning_effort"])


def fitted(request: ChatRequest, dialect: Dialect) -> tuple[ChatRequest, tuple[str, ...]]:
    """Fit *request* to its model and *dialect*; return it with a warning for each loss.

    Raises:
        Unsupported: a parameter is not taken, and may not be dropped.
    """
    sets = [dialect.quirks]
    if request.metadata and dialect.stores_for_metadata and not _extra(request).get("store"):
        sets.append(_NO_METADATA)
    if request.reasoning_budget is not None and dialect.reasoning in ("gemini", "openrouter"):
        sets.append(_NO_EFFORT)  # these take one of the two; the budget is the more precise
    return adapt(request, *sets)


def encode_request(
    request: ChatRequest,
    *,
    stream: bool,
    dialect: Dialect = OPENAI,
    max_tokens_field: str = "",
) -> bytes:
    """Write *request*, which fits *dialect*, as the JSON body of ``POST /chat/completions``.

    The bound of what is written goes by the name that the model's quirks say, else by
    *max_tokens_field*, else by the dialect's.

    Raises:
        Unsupported: the format cannot express the request, or ``extra`` reaches too far.
        InvalidRequest: a value in it is no JSON, or its text is no Unicode.
    """
    bound = request.quirks.max_tokens_field or max_tokens_field or dialect.max_tokens_field
    if bound not in MAX_TOKENS_FIELDS:
        raise Unsupported(f"max_tokens_field is {' or '.join(MAX_TOKENS_FIELDS)}, not {bound}")
    body: dict[str, Any] = {
        "model": request.model,
        "messages": encode_messages(request, dialect),
        bound: request.max_tokens,
    }
    for name in _AS_THEY_ARE:
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    if request.stop:
        body["stop"] = list(request.stop)
    if request.top_logprobs is not None:
        body["logprobs"] = True
        body["top_logprobs"] = request.top_logprobs
    if request.metadata:
        body["metadata"] = dict(request.metadata)
    if request.tools or request.tool_choice == "required":
        _add_tools(body, request)
    _add_response_format(body, request)
    if request.reasoning_effort is not None or request.reasoning_budget is not None:
        _add_reasoning(body, request, dialect)
    _add_reporting(body, dialect, stream=stream)
    if request.extra or request.quirks is not NO_QUIRKS or dialect.quirks.extra:
        body = _with_extra(body, {**dialect.quirks.extra, **_extra(request)})
    return encode_json(body, "tools, response_format or extra")


def _extra(request: ChatRequest) -> Mapping[str, Any]:
    """Lay what the caller adds over what the model's quirks add."""
    quirks = request.quirks
    return {**quirks.extra, **request.extra} if quirks.extra else request.extra


def encode_json(body: Mapping[str, Any], places: str) -> bytes:
    """Write *body* as JSON; *places* names where the caller's own values are.

    Raises:
        InvalidRequest: a value is no JSON, or its text is no Unicode.
    """
    try:
        return _encoder.encode(body)
    except UnicodeEncodeError as error:
        raise InvalidRequest("the request holds text that is no valid Unicode") from error
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidRequest(f"a value in {places} cannot be written as JSON") from error


def _as_plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


_encoder = msgspec.json.Encoder(enc_hook=_as_plain)


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
        raise Unsupported('tool_choice "required" needs tools to choose from')
    body["tools"] = [_tool(tool) for tool in request.tools]
    if choice in ("none", "required"):
        body["tool_choice"] = choice
    elif choice != "auto":
        body["tool_choice"] = {"type": "function", "function": {"name": choice}}
    if request.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.parallel_tool_calls


def _add_response_format(body: dict[str, Any], request: ChatRequest) -> None:
    wanted = request.response_format
    if isinstance(wanted, JsonSchema):
        schema = {"name": wanted.name, "schema": wanted.schema, "strict": wanted.strict}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif wanted == "json":
        body["response_format"] = {"type": "json_object"}


def _add_reasoning(body: dict[str, Any], request: ChatRequest, dialect: Dialect) -> None:
    effort, budget = request.reasoning_effort, request.reasoning_budget
    if dialect.reasoning == "openrouter":
        body["reasoning"] = {"effort": effort} if budget is None else {"max_tokens": budget}
        return
    if effort is not None:
        body["reasoning_effort"] = effort
    # Without it thoughts are mixed into the text; the gpt-oss models refuse it, and part the two.
    if dialect.reasoning == "groq" and "gpt-oss" not in request.model:
        body["reasoning_format"] = "parsed"
    if dialect.reasoning == "gemini" and budget is not None:
        thinking = {"thinking_budget": budget}
        body["extra_body"] = {"google": {"thinking_config": thinking}}


def _add_reporting(body: dict[str, Any], dialect: Dialect, *, stream: bool) -> None:
    """Ask for the usage: without it a stream is charged by estimate."""
    if dialect.reports_usage_by == "usage":
        body["usage"] = {"include": True}
    if stream:
        body["stream"] = True
        if dialect.reports_usage_by == "stream_options":
            body["stream_options"] = {"include_usage": True}


def _with_extra(body: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    refused = sorted(OUT_OF_REACH & extra.keys())
    if refused:
        raise Unsupported(f"extra may not set {', '.join(refused)}: the request itself does")
    return laid_over(body, extra)
