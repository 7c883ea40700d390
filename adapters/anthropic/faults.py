"""What the provider's failure means: by its status, its type, and for some by its sentence.

The provider's own words never reach a ``public_message``; they are kept in the cause. The types
are listed at https://docs.claude.com/en/api/errors.
"""

from collections.abc import Mapping

import msgspec
from attrs import frozen

from tollkeeper.adapters.anthropic.waits import retry_after
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
    TollkeeperError,
    Unavailable,
)

PORT = "chat_model"
ADAPTER = "anthropic"


def corrupt(public_message: str, *, status: int | None = None) -> CorruptResponse:
    """Make the error for an answer that breaks the format."""
    return CorruptResponse(public_message, port=PORT, adapter=ADAPTER, status=status)


class ProviderFault(Exception):
    """What the provider itself said went wrong; the cause of the error that is raised for it.

    *status* is None for a fault inside an answer that began well. *text* holds the provider's
    own words, which may repeat the prompt or a part of the key: str and repr leave it out.
    """

    def __init__(self, *, status: int | None = None, kind: str = "", text: str = "") -> None:
        super().__init__(f"status={status} type={kind or None}")
        self.status = status
        self.kind = kind
        self.text = text


def decode_fault(body: bytes, *, status: int | None = None) -> ProviderFault:
    """Read an error body of whatever shape; what cannot be read leaves the status alone."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ProviderFault(status=status, text=body[:2_000].decode(errors="replace"))
    return fault_of(found.get("error") if isinstance(found, dict) else found, status=status)


def fault_of(found: object, *, status: int | None = None) -> ProviderFault:
    """Read the decoded ``error`` of a body or an event."""
    if not isinstance(found, dict):
        return ProviderFault(status=status, text=str(found)[:2_000])
    kind, text = found.get("type"), found.get("message")
    return ProviderFault(
        status=status,
        kind=kind[:100] if isinstance(kind, str) else "",
        text=text[:2_000] if isinstance(text, str) else "",
    )


@frozen
class _Meaning:
    """The error to raise, its text, whether the work may be done all the same, and its code."""

    error: type[PortError] | type[NotFound]
    text: str
    ambiguous: bool = False
    code: str | None = None


_CREDENTIALS = _Meaning(
    CredentialsRefused, "the provider refuses the API key, or the key may not do this: check it"
)
_QUOTA = _Meaning(
    CredentialsRefused,
    "the provider's account has no credit left, or is not active: see to it with the provider",
    code="provider_quota_exhausted",
)
_MODEL = _Meaning(
    NotFound,
    "the provider has no such model, or nothing at this base URL: check both",
    code="model_not_found",
)
_CONTEXT = _Meaning(ContextWindowExceeded, "the messages do not fit the model's context window")
_FILTER = _Meaning(ContentFiltered, "the provider's policy refuses the content")
_REJECTED = _Meaning(Rejected, "the provider refuses the request as it stands")
_TOO_LARGE = _Meaning(
    Rejected, "the request is larger than the provider takes", code="request_too_large"
)
_THROTTLED = _Meaning(Throttled, "the provider limits the rate of requests: try again later")
_DOWN = _Meaning(Unavailable, "the provider says that it is down or overloaded: try again later")
_LATE = _Meaning(Timeout, "the provider did not finish in time", ambiguous=True)
_REDIRECT = _Meaning(
    CorruptResponse,
    "the provider redirects elsewhere; the key goes to the base URL alone: correct the base URL",
    code="redirect_refused",
)
_NO_ANSWER = _Meaning(CorruptResponse, "the provider answered with a status that holds no answer")

_BY_STATUS: Mapping[int, _Meaning] = {
    401: _CREDENTIALS,
    402: _QUOTA,
    403: _CREDENTIALS,
    404: _MODEL,
    408: _LATE,
    409: _DOWN,
    413: _TOO_LARGE,
    425: _DOWN,
    429: _THROTTLED,
    504: _LATE,
    524: _LATE,
}

# Inside an answer that began with 200 there is no status to go by.
_BY_KIND: Mapping[str, _Meaning] = {
    "invalid_request_error": _REJECTED,
    "authentication_error": _CREDENTIALS,
    "billing_error": _QUOTA,
    "permission_error": _CREDENTIALS,
    "not_found_error": _MODEL,
    "request_too_large": _TOO_LARGE,
    "rate_limit_error": _THROTTLED,
    "timeout_error": _LATE,
}

# What has no type of its own and is told by its sentence alone.
_BY_SENTENCE: tuple[tuple[str, _Meaning], ...] = (
    ("prompt is too long", _CONTEXT),
    ("exceed context limit", _CONTEXT),
    ("exceeds the context window", _CONTEXT),
    ("credit balance is too low", _QUOTA),
    ("usage limits", _QUOTA),
    ("content filtering policy", _FILTER),
)
_SENTENCES_OF = ("invalid_request_error", "request_too_large", "")


def _meaning(fault: ProviderFault) -> _Meaning:
    status = fault.status
    if status in (None, 400, 413) and fault.kind in _SENTENCES_OF:
        said = fault.text.lower()
        for sentence, meaning in _BY_SENTENCE:
            if sentence in said:
                return meaning
    if status is None:
        return _BY_KIND.get(fault.kind, _DOWN)
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return _DOWN
    if status >= 400:
        return _QUOTA if fault.kind == "billing_error" else _REJECTED
    return _REDIRECT if status >= 300 else _NO_ANSWER


def provider_error(
    fault: ProviderFault, headers: Mapping[str, str] | None = None, *, begun: bool = False
) -> TollkeeperError:
    """Make the error for *fault*, with *fault* as its cause.

    *headers* may say how long to wait. *begun* says that a part of the answer was made, so that
    the provider may bill it whatever it says now.
    """
    meaning = _meaning(fault)
    error: TollkeeperError
    if issubclass(meaning.error, PortError):
        error = meaning.error(
            meaning.text,
            port=PORT,
            adapter=ADAPTER,
            ambiguous=meaning.ambiguous or begun,
            retry_after=retry_after(headers or {}) if meaning.error.retryable else None,
            code=meaning.code,
            provider_code=fault.kind,
            status=fault.status,
        )
    else:
        error = meaning.error(meaning.text, code=meaning.code)
    error.__cause__ = fault
    return error
