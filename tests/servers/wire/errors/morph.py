"""Morph's errors: https://docs.morphllm.com/api-reference/openapi.json."""

from tests.servers.wire.errors.table import BAD, RATE, SERVER, Words, openai_shape, table

MORPH = table(
    openai_shape,
    (
        Words(400, "Invalid request: messages must not be empty", BAD),
        Words(401, "Invalid API key", "authentication_error", "invalid_api_key"),
        Words(402, "Insufficient credits", "insufficient_quota", "insufficient_quota"),
        Words(404, "Model not found", BAD, "model_not_found"),
        Words(429, "Rate limit exceeded", "rate_limit_error", RATE),
        Words(500, "Internal server error", SERVER),
        Words(503, "Service temporarily unavailable", SERVER),
    ),
    context_overflow=Words(
        400,
        "This model's maximum context length is 81920 tokens. However, your messages resulted in "
        "90000 tokens. Please reduce the length of the messages.",
    ),
    unknown_model=Words(404, "Model not found", code="model_not_found"),
    quota=Words(402, "Insufficient credits", "insufficient_quota", "insufficient_quota"),
    invalid_key=Words(401, "Invalid API key", "authentication_error", "invalid_api_key"),
    no_key=Words(401, "Missing API key", "authentication_error"),
    overloaded=Words(503, "Service temporarily unavailable", SERVER),
    rate_limit=Words(429, "Rate limit exceeded", "rate_limit_error", RATE),
)
