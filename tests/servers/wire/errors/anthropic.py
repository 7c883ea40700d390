"""Anthropic's errors: https://docs.claude.com/en/api/errors."""

from tests.servers.wire.answer import Json
from tests.servers.wire.errors.table import Words, table

REQUEST_ID = "req_011CSHoEeqs5C35K2UUqR7Fy"
_INVALID, _OVERLOADED = "invalid_request_error", "overloaded_error"


def anthropic_body(kind: str, message: str) -> Json:
    """Write the object that a body and an event have in common."""
    return {"type": "error", "error": {"type": kind, "message": message}}


def _anthropic(words: Words, text: str) -> Json:
    body = anthropic_body(words.type, f"{words.message} {text}".strip())
    return {**body, "request_id": REQUEST_ID}


ANTHROPIC = table(
    _anthropic,
    (
        Words(400, "messages: at least one message is required", _INVALID),
        Words(401, "invalid x-api-key", "authentication_error"),
        Words(402, "There is an issue with your billing or payment information.", "billing_error"),
        Words(403, "Your API key does not have permission.", "permission_error"),
        Words(404, "Not Found", "not_found_error"),
        Words(409, "The resource was changed at the same time.", "conflict_error"),
        Words(413, "Request exceeds the maximum size", "request_too_large"),
        Words(429, "This request would exceed your rate limit.", "rate_limit_error"),
        Words(500, "Internal server error", "api_error"),
        Words(504, "The request timed out while processing.", "timeout_error"),
        Words(529, "Overloaded", _OVERLOADED),
    ),
    context_overflow=Words(400, "prompt is too long: 208310 tokens > 200000 maximum", _INVALID),
    content_filter=Words(400, "Output blocked by content filtering policy", _INVALID),
    unknown_model=Words(404, "model: claude-0", "not_found_error"),
    quota=Words(
        400,
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing "
        "to upgrade or purchase credits.",
        _INVALID,
    ),
    invalid_key=Words(401, "invalid x-api-key", "authentication_error"),
    no_key=Words(401, "x-api-key header is required", "authentication_error"),
    overloaded=Words(529, "Overloaded", _OVERLOADED),
    rate_limit=Words(
        429,
        "This request would exceed your organization's rate limit of 50,000 input tokens per "
        "minute.",
        "rate_limit_error",
    ),
    request_too_large=Words(413, "Request exceeds the maximum size", "request_too_large"),
)
