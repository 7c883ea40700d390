"""What the failures of providers mean: the errors that are raised for them, and by status. Pure."""

from collections.abc import Mapping

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

BY_STATUS: Mapping[int, Meaning] = {
    401: CREDENTIALS,
    402: QUOTA,
    403: CREDENTIALS,
    404: MODEL,
    408: LATE,
    409: DOWN,
    413: TOO_LARGE,
    425: DOWN,
    429: THROTTLED,
    504: LATE,
    524: LATE,
}
"""The statuses that mean the same at every provider."""


def meaning_of_status(status: int, known: Mapping[int, Meaning] = BY_STATUS) -> Meaning:
    """Say what a fault means of which *status* says the most; *known* says more than its class."""
    if status in known:
        return known[status]
    if status >= 500:
        return DOWN
    if status >= 400:
        return REJECTED
    return _REDIRECT if status >= 300 else _NO_ANSWER
