"""What the provider's failure means: by its status, its type, and for some by its sentence.

The provider's own words never reach a ``public_message``; they are kept in the cause. The types
are listed at https://docs.claude.com/en/api/errors.
"""

from collections.abc import Mapping

import msgspec

from tollkeeper.adapters.anthropic.waits import retry_after
from tollkeeper.adapters.wire.errors import error_for
from tollkeeper.adapters.wire.faults import LONGEST_TEXT, ProviderFault
from tollkeeper.adapters.wire.meanings import (
    BY_STATUS,
    CONTEXT,
    CREDENTIALS,
    DOWN,
    FILTER,
    LATE,
    MODEL,
    QUOTA,
    REJECTED,
    THROTTLED,
    TOO_LARGE,
    Meaning,
    meaning_of_status,
)
from tollkeeper.domain.errors import CorruptResponse, TollkeeperError

PORT = "chat_model"
ADAPTER = "anthropic"


def corrupt(public_message: str, *, status: int | None = None) -> CorruptResponse:
    """Make the error for an answer that breaks the format."""
    return CorruptResponse(public_message, port=PORT, adapter=ADAPTER, status=status)


def decode_fault(body: bytes, *, status: int | None = None) -> ProviderFault:
    """Read an error body of whatever shape; what cannot be read leaves the status alone."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ProviderFault(status=status, text=body[:LONGEST_TEXT].decode(errors="replace"))
    return fault_of(found.get("error") if isinstance(found, dict) else found, status=status)


def fault_of(found: object, *, status: int | None = None) -> ProviderFault:
    """Read the decoded ``error`` of a body or an event."""
    if not isinstance(found, dict):
        return ProviderFault(status=status, text=str(found)[:LONGEST_TEXT])
    kind, text = found.get("type"), found.get("message")
    return ProviderFault(
        status=status,
        kind=kind[:100] if isinstance(kind, str) else "",
        text=text[:LONGEST_TEXT] if isinstance(text, str) else "",
    )


# Inside an answer that began with 200 there is no status to go by.
_BY_KIND: Mapping[str, Meaning] = {
    "invalid_request_error": REJECTED,
    "authentication_error": CREDENTIALS,
    "billing_error": QUOTA,
    "permission_error": CREDENTIALS,
    "not_found_error": MODEL,
    "request_too_large": TOO_LARGE,
    "rate_limit_error": THROTTLED,
    "timeout_error": LATE,
}

# What has no type of its own and is told by its sentence alone.
_BY_SENTENCE: tuple[tuple[str, Meaning], ...] = (
    ("prompt is too long", CONTEXT),
    ("exceed context limit", CONTEXT),
    ("exceeds the context window", CONTEXT),
    ("credit balance is too low", QUOTA),
    ("usage limits", QUOTA),
    ("content filtering policy", FILTER),
)
_SENTENCES_OF = ("invalid_request_error", "request_too_large", "")


def _meaning(fault: ProviderFault) -> Meaning:
    status = fault.status
    if status in (None, 400, 413) and fault.kind in _SENTENCES_OF:
        said = fault.text.lower()
        for sentence, meaning in _BY_SENTENCE:
            if sentence in said:
                return meaning
    if status is None:
        return _BY_KIND.get(fault.kind, DOWN)
    if fault.kind == "billing_error" and 400 <= status < 500 and status not in BY_STATUS:
        return QUOTA
    return meaning_of_status(status)


def provider_error(
    fault: ProviderFault, headers: Mapping[str, str] | None = None, *, begun: bool = False
) -> TollkeeperError:
    """Make the error for *fault*, with *fault* as its cause.

    *headers* may say how long to wait. *begun* says that a part of the answer was made, so that
    the provider may bill it whatever it says now.
    """
    return error_for(
        fault,
        _meaning(fault),
        wait=retry_after(headers or {}),
        begun=begun,
        port=PORT,
        adapter=ADAPTER,
    )
