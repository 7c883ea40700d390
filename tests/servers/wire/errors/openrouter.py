"""OpenRouter's errors: https://openrouter.ai/docs/api/reference/errors-and-debugging."""

from tests.servers.wire.answer import Json
from tests.servers.wire.errors.table import Words, table


def _openrouter(words: Words, text: str) -> Json:
    said = {"message": f"{words.message} {text}".strip(), "code": words.status}
    return {"error": {**said, **words.more}, "user_id": "user_2abc"}


_ROUTED: Json = {"metadata": {"provider_name": "Echo", "raw": "upstream failed"}}
OPENROUTER = table(
    _openrouter,
    (
        Words(400, 'Input required: specify "prompt" or "messages"'),
        Words(401, "No auth credentials found"),
        Words(402, "Insufficient credits. Add more using https://openrouter.ai/settings/credits"),
        Words(403, "This API key does not have permission for this action."),
        Words(404, "No endpoints found that support the requested parameters."),
        Words(408, "Operation timed out. Please try again later."),
        Words(413, "Request payload too large"),
        Words(422, "Invalid argument"),
        Words(429, "Rate limit exceeded"),
        Words(500, "Internal Server Error"),
        Words(502, "Provider returned error", more=_ROUTED),
        Words(503, "There is no available model provider that meets your routing requirements"),
        Words(524, "Request timed out. Please try again later."),
        Words(529, "Provider returned error", more=_ROUTED),
    ),
    context_overflow=Words(
        400,
        "This endpoint's maximum context length is 8192 tokens. However, you requested about "
        "9000 tokens (8000 of text input, 1000 in the output). Please reduce the length of either "
        "one, or use the context-compression plugin to compress your prompt automatically.",
        more={"metadata": {"provider_name": None}},
    ),
    content_filter=Words(
        403,
        "Input was flagged by moderation",
        more={
            "metadata": {
                "reasons": ["violence"],
                "flagged_input": "…",
                "provider_name": "Echo",
                "model_slug": "echo/echo",
            }
        },
    ),
    unknown_model=Words(400, "echo/none is not a valid model ID"),
    quota=Words(
        402,
        "This request requires more credits, or fewer max_tokens. You requested up to 1024 "
        "tokens, but can only afford 30. To increase, visit "
        "https://openrouter.ai/settings/credits and upgrade to a paid account",
    ),
    invalid_key=Words(401, "User not found."),
    no_key=Words(401, "No auth credentials found"),
    overloaded=Words(529, "Provider returned error", more=_ROUTED),
    rate_limit=Words(429, "Rate limit exceeded: free-models-per-min."),
)
