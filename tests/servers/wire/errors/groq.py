"""Groq's errors: https://console.groq.com/docs/errors."""

from tests.servers.wire.answer import Json
from tests.servers.wire.errors.table import BAD, RATE, Words, table


def _groq(words: Words, text: str) -> Json:
    said: Json = {"message": f"{words.message} {text}".strip(), "type": words.type}
    for name, value in (("param", words.param), ("code", words.code)):
        if value is not None:
            said[name] = value
    return {"error": {**said, **words.more}}


GROQ = table(
    _groq,
    (
        Words(400, "'messages' : minimum number of items is 1", BAD),
        Words(401, "Invalid API Key", BAD, "invalid_api_key"),
        Words(403, "Access denied. Please check your network settings.", BAD),
        Words(404, "Unknown request URL: POST /openai/v1/chat.", BAD, "unknown_url"),
        Words(
            413,
            "Request too large for model `llama-0` on tokens per minute (TPM): Limit 6000, "
            "Requested 12328, please reduce your message size and try again.",
            "tokens",
            RATE,
        ),
        Words(422, "The request was well-formed but could not be followed.", BAD),
        Words(424, "A dependent request failed: the remote MCP server refused it.", BAD),
        Words(
            429,
            "Rate limit reached for model `llama-0` on requests per minute (RPM): Limit 30, "
            "Used 30, Requested 1. Please try again in 2s.",
            "requests",
            RATE,
        ),
        Words(498, "Flex tier capacity exceeded.", "flex_tier_error", "capacity_exceeded"),
        Words(500, "Internal server error", "internal_server_error"),
        Words(502, "Bad gateway", "internal_server_error"),
        Words(503, "llama-0 is currently over capacity.", "internal_server_error"),
    ),
    context_overflow=Words(
        400,
        "Please reduce the length of the messages or completion.",
        code="context_length_exceeded",
        param="messages",
    ),
    unknown_model=Words(
        404,
        "The model `llama-0` does not exist or you do not have access to it.",
        code="model_not_found",
    ),
    quota=Words(
        400, "API access has been blocked: the spend limit is reached.", code="blocked_api_access"
    ),
    invalid_key=Words(401, "Invalid API Key", code="invalid_api_key"),
    no_key=Words(401, "Invalid API Key", code="invalid_api_key"),
    overloaded=Words(
        503,
        "llama-0 is currently over capacity. Please try again and back off exponentially.",
        "internal_server_error",
    ),
    rate_limit=Words(
        429,
        "Rate limit reached for model `llama-0` on tokens per minute (TPM).",
        "tokens",
        RATE,
    ),
)
