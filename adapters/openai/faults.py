"""What a provider's failure means: by its code or type where that is precise, else by its status.

The provider's own words never reach a ``public_message``; they are kept in the cause.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from attrs import frozen

from tollkeeper.adapters.openai.waits import retry_after
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
ADAPTER = "openai"


def corrupt(public_message: str) -> CorruptResponse:
    """Make the error for an answer that breaks the format."""
    return CorruptResponse(public_message, port=PORT, adapter=ADAPTER)


class ProviderFault(Exception):
    """What the provider itself said went wrong; the cause of the error that is raised for it.

    *status* is None for a fault inside an answer that began well. *text* holds the provider's
    own words, which may repeat the prompt or a part of the key: str and repr leave it out.
    """

    def __init__(
        self, *, status: int | None = None, kind: str = "", code: str = "", text: str = ""
    ) -> None:
        super().__init__(f"status={status} type={kind or None} code={code or None}")
        self.status = status
        self.kind = kind
        self.code = code
        self.text = text


def decode_fault(body: bytes, *, status: int | None = None) -> ProviderFault:
    """Read an error body of whatever shape; what cannot be read leaves the status alone."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ProviderFault(status=status, text=body[:2_000].decode(errors="replace"))
    return fault_of(found, status=status)


def fault_of(found: object, *, status: int | None = None) -> ProviderFault:
    """Read a decoded error: ``{"error": {…}}``, ``{"error": "text"}``, a list of it, or bare."""
    if isinstance(found, list) and found:
        found = found[0]
    if isinstance(found, dict) and found.get("error"):
        found = found["error"]
    if not isinstance(found, dict):
        return ProviderFault(status=status, text=str(found)[:2_000])
    return ProviderFault(
        status=status,
        kind=_word(found.get("type") or found.get("status")),
        code=_word(found.get("code")),
        text=_word(found.get("message"), longest=2_000),
    )


def _word(value: Any, *, longest: int = 100) -> str:
    return str(value)[:longest] if isinstance(value, str | int) else ""


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
_THROTTLED = _Meaning(Throttled, "the provider limits the rate of requests: try again later")
_DOWN = _Meaning(Unavailable, "the provider says that it is down or overloaded: try again later")
_LATE = _Meaning(Timeout, "the provider did not finish in time", ambiguous=True)

# Codes and types that say more than the status they come with. Those that speak of a rate are
# not among them: providers send them with a 400 or 413 too, where a retry never helps.
_BY_NAME: Mapping[str, _Meaning] = {
    "context_length_exceeded": _CONTEXT,
    "exceed_context_size_error": _CONTEXT,
    "content_filter": _FILTER,
    "content_policy_violation": _FILTER,
    "content_policy": _FILTER,
    "insufficient_quota": _QUOTA,
    "billing_hard_limit_reached": _QUOTA,
    "billing_not_active": _QUOTA,
    "model_not_found": _MODEL,
    "invalid_api_key": _CREDENTIALS,
}

_BY_STATUS: Mapping[int, _Meaning] = {
    401: _CREDENTIALS,
    402: _QUOTA,
    403: _CREDENTIALS,
    404: _MODEL,
    408: _LATE,
    409: _DOWN,
    413: _Meaning(
        Rejected, "the request is larger than the provider takes", code="request_too_large"
    ),
    425: _DOWN,
    429: _THROTTLED,
    498: _THROTTLED,
    504: _LATE,
    524: _LATE,
}
_REDIRECT = _Meaning(
    CorruptResponse,
    "the provider redirects elsewhere; the key goes to the base URL alone: correct the base URL",
    code="redirect_refused",
)
_NO_ANSWER = _Meaning(CorruptResponse, "the provider answered with a status that holds no answer")

# Inside an answer that began with 200 there is no status to go by.
_IN_ANSWER: Mapping[str, _Meaning] = {
    "rate_limit_exceeded": _THROTTLED,
    "rate_limit_error": _THROTTLED,
    "invalid_request_error": _REJECTED,
    "authentication_error": _CREDENTIALS,
    "permission_error": _CREDENTIALS,
    "timeout": _LATE,
    "timeout_error": _LATE,
}


def _meaning(fault: ProviderFault) -> _Meaning:
    names = (fault.code.lower(), fault.kind.lower())
    status = fault.status
    if status is None and fault.code.isdecimal() and 400 <= int(fault.code) < 600:
        status = int(fault.code)
    if status is None or 400 <= status < 500:
        for name in names:
            if name in _BY_NAME:
                return _BY_NAME[name]
    # Some servers of open models give a full context window no code, only this sentence.
    if status == 400 and "maximum context length" in fault.text:
        return _CONTEXT
    if status is None:
        return next((_IN_ANSWER[name] for name in names if name in _IN_ANSWER), _DOWN)
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return _DOWN
    if status >= 400:
        return _REJECTED
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
        )
    else:
        error = meaning.error(meaning.text, code=meaning.code)
    error.__cause__ = fault
    return error
