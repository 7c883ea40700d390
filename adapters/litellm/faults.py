"""A provider's failure: read from whatever it sends, and the error that is raised for it.

The provider's own words never reach a ``public_message``; they are kept in the cause.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from tollkeeper.adapters.litellm.meanings import FILTER, meaning_of
from tollkeeper.adapters.litellm.waits import bounded, retry_after
from tollkeeper.domain.errors import (
    ContentFiltered,
    CorruptResponse,
    PortError,
    TollkeeperError,
)

PORT = "chat_model"
ADAPTER = "litellm"
_LONGEST_TEXT = 2_000
_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


def corrupt(public_message: str, *, port: str = PORT) -> CorruptResponse:
    """Make the error for an answer that breaks the format."""
    return CorruptResponse(public_message, port=port, adapter=ADAPTER)


class ProviderFault(Exception):
    """What the provider itself said went wrong; the cause of the error that is raised for it.

    *status* is None for a fault inside an answer that began well. *text* holds the provider's
    own words, which may repeat the prompt or a part of the key: str and repr leave it out.
    *reason* is a name from the fault's details, *moderated* says that they give the reasons for
    which the content is refused, *wait* how long they ask to wait.
    """

    def __init__(
        self,
        *,
        status: int | None = None,
        kind: str = "",
        code: str = "",
        text: str = "",
        reason: str = "",
        moderated: bool = False,
        wait: timedelta | None = None,
    ) -> None:
        super().__init__(f"status={status} type={kind or None} code={code or None}")
        self.status = status
        self.kind = kind
        self.code = code
        self.text = text
        self.reason = reason
        self.moderated = moderated
        self.wait = wait

    @property
    def name(self) -> str:
        """The provider's own name for it: a code that is no number, else the type, else that."""
        return self.code if self.code and not self.code.isdecimal() else self.kind or self.code


class LitellmFault(Exception):
    """litellm failed, and how it calls that; the cause of the error that is raised for it.

    Its own exceptions hold the request with its key, and repeat what the provider said.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"{type(error).__module__}.{type(error).__name__}")


def decode_fault(body: bytes, *, status: int | None = None) -> ProviderFault:
    """Read an error body of whatever shape; what cannot be read leaves the status alone."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ProviderFault(status=status, text=body[:_LONGEST_TEXT].decode(errors="replace"))
    return fault_of(found, status=status)


def fault_of(found: object, *, status: int | None = None) -> ProviderFault:
    """Read a decoded error: ``{"error": {…}}``, ``{"error": "text"}``, a list of it, or bare.

    Beside a text, ``code`` and ``type`` stand outside (xAI).
    """
    if isinstance(found, list) and found:
        found = found[0]
    if isinstance(found, dict) and found.get("error"):
        inner = found["error"]
        outside = {"code": found.get("code"), "type": found.get("type")}
        found = inner if isinstance(inner, dict) else {"message": str(inner), **outside}
    if not isinstance(found, dict):
        return ProviderFault(status=status, text=str(found)[:_LONGEST_TEXT])
    metadata = found.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    text = _word(found.get("message"), longest=_LONGEST_TEXT)
    reason, wait = _details(found.get("details"))
    return ProviderFault(
        status=status,
        kind=_word(found.get("type") or found.get("status")),
        code=_word(found.get("code")),
        # OpenRouter passes on what the provider behind it said.
        text=f"{text} {_word(metadata.get('raw'), longest=_LONGEST_TEXT)}".strip(),
        reason=reason,
        moderated=bool(metadata.get("reasons")),
        wait=wait,
    )


def blocked(found: Mapping[str, Any], *, begun: bool = False) -> ContentFiltered | None:
    """Return the error for an answer of Gemini's that says that the prompt is refused."""
    feedback = found.get("promptFeedback")
    reason = feedback.get("blockReason") if isinstance(feedback, Mapping) else None
    if not reason or found.get("candidates"):
        return None
    return ContentFiltered(
        FILTER.text,
        port=PORT,
        adapter=ADAPTER,
        ambiguous=begun,
        provider_code=_word(reason),
        status=200,
    )


def _word(value: Any, *, longest: int = 100) -> str:
    return str(value)[:longest] if isinstance(value, str | int) else ""


def _details(details: object) -> tuple[str, timedelta | None]:
    """Return the reason and the time to wait that Google's errors give in their details."""
    reason, wait = "", None
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            reason = reason or _word(detail.get("reason"))
            delay = _DELAY.fullmatch(_word(detail.get("retryDelay")))
            wait = bounded(timedelta(seconds=float(delay[1]))) if delay else wait
    return reason, wait


def provider_error(
    fault: ProviderFault,
    headers: Mapping[str, str] | None = None,
    *,
    begun: bool = False,
    port: str = PORT,
) -> TollkeeperError:
    """Make the error for *fault*, with *fault* as its cause.

    *headers* may say how long to wait. *begun* says that a part of the answer was made, so that
    the provider may bill it whatever it says now.
    """
    status = fault.status
    if status is None and fault.code.isdecimal() and 400 <= int(fault.code) < 600:
        status = int(fault.code)
    meaning = meaning_of(
        status=status,
        names=(fault.code.lower(), fault.kind.lower(), fault.reason.lower()),
        text=fault.text,
        moderated=fault.moderated,
    )
    error: TollkeeperError
    if issubclass(meaning.error, PortError):
        wait = retry_after(headers or {}) or fault.wait if meaning.error.retryable else None
        error = meaning.error(
            meaning.text,
            port=port,
            adapter=ADAPTER,
            ambiguous=meaning.ambiguous or begun,
            retry_after=wait,
            code=meaning.code,
            provider_code=fault.name,
            status=fault.status,
        )
    else:
        error = meaning.error(meaning.text, code=meaning.code)
    error.__cause__ = fault
    return error
