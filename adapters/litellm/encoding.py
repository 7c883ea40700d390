"""Requests as litellm takes them: chat-completions messages and parameters. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from tollkeeper.adapters.litellm.styles import Style
from tollkeeper.adapters.wire.extras import laid_over
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.errors import Unsupported
from tollkeeper.domain.quirks import Quirks, adapt
from tollkeeper.domain.tools import JsonSchema, Tool

OUT_OF_REACH = frozenset(
    {
        "model",
        "messages",
        "contents",
        "stream",
        "stream_options",
        "usage",
        "n",
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "generationConfig",
        "generation_config",
        "options",
    }
)
"""What ``extra`` may not set: the hold, the price and the reading of the answer rest on it."""
_BOUNDS = ("max_tokens", "max_completion_tokens")
_LITELLM_NAMES: Mapping[str, str] = {
    "temperature": "temperature",
    "top_p": "top_p",
    "stop": "stop",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "parallel_tool_calls": "parallel_tool_calls",
    "reasoning_effort": "reasoning_effort",
    "reasoning_budget": "thinking",
    "top_logprobs": "top_logprobs",
    "service_tier": "service_tier",
    "user": "user",
    "metadata": "metadata",
    "tools": "tools",
    "tool_choice": "tool_choice",
    "json": "response_format",
    "json_schema": "response_format",
}
_AS_THEY_ARE = (
    "temperature",
    "top_p",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "service_tier",
    "user",
)


def fitted(
    request: ChatRequest, style: Style, supported: Collection[str]
) -> tuple[ChatRequest, tuple[str, ...]]:
    """Fit *request* to its model and to what litellm *supported* for it; name each loss.

    Raises:
        Unsupported: a parameter is not taken, and may not be dropped.
    """
    unfit = {name for name, theirs in _LITELLM_NAMES.items() if theirs not in supported}
    unfit |= style.unsupported
    if style.schema:
        unfit.discard("json_schema")
    if style.reasoning_object:
        unfit -= {"reasoning_effort", "reasoning_budget"}
    if request.reasoning_budget is not None and "reasoning_budget" not in unfit:
        unfit.add("reasoning_effort")  # one of the two; the budget is the more precise
    return adapt(request, Quirks(unsupported=unfit))


def encode_params(
    request: ChatRequest, style: Style, supported: Collection[str], *, stream: bool
) -> dict[str, Any]:
    """Write the parameters of *request*, which fits, by the names that litellm maps from."""
    bound = request.quirks.max_tokens_field
    if not bound:
        bound = next((name for name in _BOUNDS if name in supported), _BOUNDS[0])
    if bound not in _BOUNDS:
        raise Unsupported(f"max_tokens_field is {' or '.join(_BOUNDS)}, not {bound}")
    params: dict[str, Any] = {bound: request.max_tokens}
    for name in _AS_THEY_ARE:
        value = getattr(request, name)
        if value is not None:
            params[name] = value
    if request.stop:
        params["stop"] = list(request.stop)
    if request.top_logprobs is not None:
        params["logprobs"] = True
        params["top_logprobs"] = request.top_logprobs
    if request.metadata:
        params["metadata"] = dict(request.metadata)
    if request.tools:
        _add_tools(params, request)
    elif request.tool_choice == "required":
        raise Unsupported('tool_choice "required" needs tools to choose from')
    wanted = request.response_format
    if isinstance(wanted, JsonSchema) and not style.schema:
        params["response_format"] = schema_format(wanted)
    elif wanted == "json":
        params["response_format"] = {"type": "json_object"}
    if not style.reasoning_object:
        if request.reasoning_effort is not None:
            params["reasoning_effort"] = request.reasoning_effort
        if request.reasoning_budget is not None:
            params["thinking"] = {"type": "enabled", "budget_tokens": request.reasoning_budget}
    if stream:
        params["stream"] = True
        if "stream_options" in supported:
            params["stream_options"] = {"include_usage": True}
    return params


def schema_format(wanted: JsonSchema) -> dict[str, Any]:
    """Write *wanted* as the chat-completions format has it."""
    schema = {"name": wanted.name, "schema": dict(wanted.schema), "strict": wanted.strict}
    return {"type": "json_schema", "json_schema": schema}


def add_schema(data: dict[str, Any], wanted: JsonSchema, style: Style) -> None:
    """Put *wanted* into *data*, the body, where the provider itself has it."""
    if style.schema == "response_format":
        data["response_format"] = schema_format(wanted)
    elif style.schema == "output_config":
        form = {"type": "json_schema", "schema": wanted.schema}
        data["output_config"] = {**data.get("output_config", {}), "format": form}
    elif style.schema == "generationConfig":
        form = {"response_mime_type": "application/json", "response_json_schema": wanted.schema}
        data["generationConfig"] = {**data.get("generationConfig", {}), **form}


def _add_tools(params: dict[str, Any], request: ChatRequest) -> None:
    choice = request.tool_choice
    params["tools"] = [_tool(tool) for tool in request.tools]
    if choice in ("none", "required"):
        params["tool_choice"] = choice
    elif choice != "auto":
        params["tool_choice"] = {"type": "function", "function": {"name": choice}}
    if request.parallel_tool_calls is not None:
        params["parallel_tool_calls"] = request.parallel_tool_calls


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": dict(tool.parameters)}
    if tool.description:
        function["description"] = tool.description
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def extra_body(request: ChatRequest, style: Style) -> dict[str, Any]:
    """Return what is laid over the body that litellm wrote.

    Raises:
        Unsupported: ``extra`` reaches too far.
    """
    extra = {**request.quirks.extra, **request.extra}
    refused = sorted(OUT_OF_REACH & extra.keys())
    if refused:
        raise Unsupported(f"extra may not set {', '.join(refused)}: the request itself does")
    if style.reasoning_object and request.reasoning_budget is not None:
        return laid_over({"reasoning": {"max_tokens": request.reasoning_budget}}, extra)
    if style.reasoning_object and request.reasoning_effort is not None:
        return laid_over({"reasoning": {"effort": request.reasoning_effort}}, extra)
    return extra
