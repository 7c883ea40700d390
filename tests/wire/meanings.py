"""Which error of the domain each failure of a provider is, whoever the provider."""

from tests.servers.wire import Kind

Meaning = tuple[str, str]
"""The name of a class in tollkeeper.domain.errors, and its code."""

_QUOTA: Meaning = ("CredentialsRefused", "provider_quota_exhausted")
_REFUSED: Meaning = ("CredentialsRefused", "credentials_refused")
_UNKNOWN: Meaning = ("NotFound", "model_not_found")
_LATE: Meaning = ("Timeout", "timeout")
_DOWN: Meaning = ("Unavailable", "unavailable")
_THROTTLED: Meaning = ("Throttled", "throttled")
_TOO_LARGE: Meaning = ("Rejected", "request_too_large")

_BY_STATUS: dict[int, Meaning] = {
    401: _REFUSED,
    402: _QUOTA,
    403: _REFUSED,
    404: _UNKNOWN,
    408: _LATE,
    409: _DOWN,
    413: _TOO_LARGE,
    429: _THROTTLED,
    498: _THROTTLED,
    504: _LATE,
    524: _LATE,
}
_BY_KIND: dict[Kind, Meaning] = {
    "context_overflow": ("ContextWindowExceeded", "context_window_exceeded"),
    "content_filter": ("ContentFiltered", "content_filtered"),
    "unknown_model": _UNKNOWN,
    "quota": _QUOTA,
    "invalid_key": _REFUSED,
    "no_key": _REFUSED,
    "overloaded": _DOWN,
    "rate_limit": _THROTTLED,
    "request_too_large": _TOO_LARGE,
}


def of_status(status: int) -> Meaning:
    """Return what *status* means with a body that says no more."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return _DOWN if status >= 500 else ("Rejected", "rejected")


def of_kind(kind: Kind) -> Meaning:
    """Return what a failure of *kind* means, whatever status the provider gives it."""
    return _BY_KIND[kind]
