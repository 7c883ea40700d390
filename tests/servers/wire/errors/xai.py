"""xAI's errors: https://docs.x.ai/developers/debugging; the body is ``{code, error}``."""

from tests.servers.wire.answer import Json
from tests.servers.wire.errors.table import Words, table


def _xai(words: Words, text: str) -> Json:
    return {"code": words.code, "error": f"{words.message} {text}".strip()}


_INVALID = "Client specified an invalid argument"
_EXHAUSTED = "Some resource has been exhausted"
_DENIED = "The caller does not have permission to execute the specified operation"
_DOWN = "The service is currently unavailable"
XAI = table(
    _xai,
    (
        Words(400, "Failed to deserialize the JSON body into the target type.", code=_INVALID),
        Words(401, "No authorization header or an invalid token is provided.", code="Unauthorized"),
        Words(403, "Your API key does not have permission for this action.", code=_DENIED),
        Words(404, "The requested endpoint was not found.", code="Not found"),
        Words(415, "Expected request with `Content-Type: application/json`", code=_INVALID),
        Words(422, "Failed to deserialize the JSON body: messages: missing field", code=_INVALID),
        Words(429, "Too many requests for team: requests per second exceeded.", code=_EXHAUSTED),
        Words(500, "Internal error.", code="Internal error"),
        Words(503, "The service is temporarily unavailable.", code=_DOWN),
    ),
    context_overflow=Words(
        400,
        "This model's maximum prompt length is 131072 but the request contains 136973 tokens.",
        code=_INVALID,
    ),
    content_filter=Words(
        403,
        "Content violates usage guidelines. Model: grok-0, Failed check: SAFETY_CHECK_TYPE_BIO",
        code=_DENIED,
    ),
    unknown_model=Words(
        404,
        "The model grok-0 does not exist or your team does not have access to it.",
        code="Some requested entity was not found",
    ),
    quota=Words(
        429,
        "Your team has either used all available credits or reached its monthly spending limit. "
        "To continue making API requests, please purchase more credits or raise your spending "
        "limit.",
        code=_EXHAUSTED,
    ),
    invalid_key=Words(
        400,
        "Incorrect API key provided: xa***ng. You can obtain an API key from https://console.x.ai.",
        code=_INVALID,
    ),
    no_key=Words(401, "No authorization header is provided.", code="Unauthorized"),
    overloaded=Words(503, "The model is at capacity. Please try again later.", code=_DOWN),
    rate_limit=Words(429, "Too many requests for team: tokens per minute.", code=_EXHAUSTED),
)
