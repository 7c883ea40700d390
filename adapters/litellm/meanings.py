"""What the failures of the providers mean: by code or type, by known phrases, by status. Pure.

Sources: https://platform.openai.com/docs/guides/error-codes, https://console.groq.com/docs/errors,
https://openrouter.ai/docs/api/reference/errors-and-debugging,
https://docs.x.ai/developers/debugging, https://docs.morphllm.com/api-reference,
https://ai.google.dev/gemini-api/docs/troubleshooting,
https://docs.claude.com/en/api/errors.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from tollkeeper.domain.errors import (
    ContentFiltered,
    ContextWindowExceeded,
    CorruptResponse,
    CredentialsRefused,
    NotFound,
    PortError,
    Rejected,
    Throttled,
    Timeout,
    Unavailable,
)


@frozen
class Meaning:
    """The error to raise, its text, whether the work may be done all the same, and its code."""

    error: type[PortError] | type[NotFound]
    text: str
    ambiguous: bool = False
    code: str | None = None


CREDENTIALS = Meaning(
    CredentialsRefused, "the provider refuses the API key, or the key may not do this: check it"
)
QUOTA = Meaning(
    CredentialsRefused,
    "the provider's account has no credit left, or is not active: see to it with the provider",
    code="provider_quota_exhausted",
)
MODEL = Meaning(
    NotFound,
    "the provider has no such model, or nothing at this base URL: check both",
    code="model_not_found",
)
CONTEXT = Meaning(ContextWindowExceeded, "the messages do not fit the model's context window")
FILTER = Meaning(ContentFiltered, "the provider's policy refuses the content")
REJECTED = Meaning(Rejected, "the provider refuses the request as it stands")
TOO_LARGE = Meaning(
    Rejected, "the request is larger than the provider takes", code="request_too_large"
)
THROTTLED = Meaning(Throttled, "the provider limits the rate of requests: try again later")
DOWN = Meaning(Unavailable, "the provider says that it is down or overloaded: try again later")
LATE = Meaning(Timeout, "the provider did not finish in time", ambiguous=True)
_REDIRECT = Meaning(
    CorruptResponse,
    "the provider redirects elsewhere; the key goes to the base URL alone: correct the base URL",
    code="redirect_refused",
)
_NO_ANSWER = Meaning(CorruptResponse, "the provider answered with a status that holds no answer")

# Codes and types that say more than the status they come with. Those that speak of a rate are
# not among them: providers send them with a 400 or 413 too, where a retry never helps.
_BY_NAME: Mapping[str, Meaning] = {
    "context_length_exceeded": CONTEXT,
    "exceed_context_size_error": CONTEXT,
    "content_filter": FILTER,
    "content_policy_violation": FILTER,
    "content_policy": FILTER,
    "moderation_blocked": FILTER,
    "insufficient_quota": QUOTA,
    "billing_hard_limit_reached": QUOTA,
    "billing_not_active": QUOTA,
    "blocked_api_access": QUOTA,
    "organization_restricted": CREDENTIALS,
    "failed_precondition": CREDENTIALS,
    "model_not_found": MODEL,
    "model_decommissioned": MODEL,
    "invalid_api_key": CREDENTIALS,
    "api_key_invalid": CREDENTIALS,
}

# Phrases of errors that have no code of their own: all parts must be there.
_BY_PHRASE: Sequence[tuple[tuple[str, ...], Meaning]] = (
    (("maximum context length",), CONTEXT),
    (("maximum prompt length",), CONTEXT),
    (("context window",), CONTEXT),
    (("context length exceeded",), CONTEXT),
    (("exceeds the available context size",), CONTEXT),
    (("prompt is too long",), CONTEXT),
    (("input token count", "exceeds the maximum"), CONTEXT),
    (("reduce the length of the messages",), CONTEXT),
    (("violates usage guidelines",), FILTER),
    (("flagged", "usage policy"), FILTER),
    (("flagged", "moderation"), FILTER),
    (("exceed context limit",), CONTEXT),
    (("content filtering policy",), FILTER),
    (("credit balance is too low",), QUOTA),
    (("specified api usage limits",), QUOTA),
    (("used all available credits",), QUOTA),
    (("credits are depleted",), QUOTA),
    (("incorrect api key",), CREDENTIALS),
    (("api key not valid",), CREDENTIALS),
    (("is not a valid model id",), MODEL),
    (("request too large for model",), TOO_LARGE),
    (("request too large for", "must be reduced"), TOO_LARGE),
)
_STATUSES_OF_PHRASES = frozenset({400, 403, 413, 422, 429, None})

_BY_STATUS: Mapping[int, Meaning] = {
    401: CREDENTIALS,
    402: QUOTA,
    403: CREDENTIALS,
    404: MODEL,
    408: LATE,
    409: DOWN,
    413: TOO_LARGE,
    425: DOWN,
    429: THROTTLED,
    498: THROTTLED,
    504: LATE,
    524: LATE,
}

# Inside an answer that began with 200 there is no status to go by.
_IN_ANSWER: Mapping[str, Meaning] = {
    "rate_limit_exceeded": THROTTLED,
    "rate_limit_error": THROTTLED,
    "resource_exhausted": THROTTLED,
    "some resource has been exhausted": THROTTLED,
    "capacity_exceeded": THROTTLED,
    "invalid_request_error": REJECTED,
    "invalid_argument": REJECTED,
    "client specified an invalid argument": REJECTED,
    "invalid_prompt": REJECTED,
    "json_validate_failed": REJECTED,
    "tool_use_failed": REJECTED,
    "not_found_error": MODEL,
    "request_too_large": TOO_LARGE,
    "billing_error": QUOTA,
    "authentication_error": CREDENTIALS,
    "permission_error": CREDENTIALS,
    "permission_denied": CREDENTIALS,
    "unauthenticated": CREDENTIALS,
    "deadline_exceeded": LATE,
    "timeout": LATE,
    "timeout_error": LATE,
}


def meaning_of(
    *, status: int | None, names: Sequence[str], text: str, moderated: bool = False
) -> Meaning:
    """Say what a fault means that bears *names* (code, type, reason) and says *text*.

    *status* is the HTTP status, or the number that stands in the place of one inside an answer;
    *moderated* says that the provider gives the reasons for which it refuses the content.
    """
    if status is None or 400 <= status < 500:
        if moderated:
            return FILTER
        for name in names:
            if name in _BY_NAME:
                return _BY_NAME[name]
    if status in _STATUSES_OF_PHRASES:
        said = text.lower()
        for parts, meaning in _BY_PHRASE:
            if all(part in said for part in parts):
                return meaning
    if status is None:
        return next((_IN_ANSWER[name] for name in names if name in _IN_ANSWER), DOWN)
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return DOWN
    if status >= 400:
        return REJECTED
    return _REDIRECT if status >= 300 else _NO_ANSWER
