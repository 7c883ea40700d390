"""The errors of Google's Gemini API; its two formats wrap the same words.

Sources: https://ai.google.dev/gemini-api/docs/troubleshooting,
https://ai.google.dev/gemini-api/docs/api-errors.
"""

from collections.abc import Mapping

from attrs import field, frozen

from tests.servers.wire.answer import Json
from tests.servers.wire.errors.table import ErrorTable, Words
from tests.servers.wire.format import Kind

_RPC = "type.googleapis.com/google.rpc"


@frozen
class GoogleError:
    """One error: the status, its word, and details."""

    status: int
    word: str
    message: str
    more: Json = field(factory=dict)


@frozen
class GoogleErrors:
    """All errors, by status and by kind."""

    by_status: tuple[GoogleError, ...]
    by_kind: Mapping[Kind, GoogleError]


def google_body(status: int, word: str, message: str, more: Json) -> Json:
    """Write the object that both formats hold."""
    return {"error": {"code": status, "message": message, "status": word, **more}}


_RETRY: Json = {"details": [{"@type": f"{_RPC}.RetryInfo", "retryDelay": "37s"}]}
_KEY_INVALID: Json = {
    "details": [
        {
            "@type": f"{_RPC}.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        }
    ]
}
_INVALID, _OUT = "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"
_QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more "
    "information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits."
)
_LIMITED = GoogleError(429, _OUT, _QUOTA, _RETRY)
_OVERLOADED = GoogleError(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")

GOOGLE = GoogleErrors(
    by_status=(
        GoogleError(400, _INVALID, "Request contains an invalid argument."),
        GoogleError(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
        GoogleError(403, "PERMISSION_DENIED", "The caller does not have permission"),
        GoogleError(404, "NOT_FOUND", "Requested entity was not found."),
        _LIMITED,
        GoogleError(500, "INTERNAL", "An internal error has occurred."),
        _OVERLOADED,
        GoogleError(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
    ),
    by_kind={
        "context_overflow": GoogleError(
            400,
            _INVALID,
            "The input token count (1048577) exceeds the maximum number of tokens allowed "
            "(1048576).",
        ),
        "unknown_model": GoogleError(
            404,
            "NOT_FOUND",
            "models/gemini-0 is not found for API version v1beta, or is not supported for "
            "generateContent. Call ListModels to see the list of available models and their "
            "supported methods.",
        ),
        "quota": GoogleError(
            429,
            _OUT,
            "Your prepayment credits are depleted. Please go to AI Studio at "
            "https://ai.studio/projects to manage your project and billing.",
        ),
        "invalid_key": GoogleError(
            400, _INVALID, "API key not valid. Please pass a valid API key.", _KEY_INVALID
        ),
        "no_key": GoogleError(
            403,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity). "
            "Please use API Key or other form of API consumer identity to call this API.",
        ),
        "overloaded": _OVERLOADED,
        "rate_limit": _LIMITED,
    },
)


def _gemini(words: Words, text: str) -> list[Json]:
    return [google_body(words.status, words.type, f"{words.message} {text}".strip(), words.more)]


GEMINI = ErrorTable(
    _gemini,
    {g.status: Words(g.status, g.message, g.word, more=g.more) for g in GOOGLE.by_status},
    {kind: Words(g.status, g.message, g.word, more=g.more) for kind, g in GOOGLE.by_kind.items()},
)
