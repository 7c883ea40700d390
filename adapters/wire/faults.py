"""What a provider itself says went wrong, read from whatever it sends. Pure.

The provider's own words never reach a ``public_message``; they are kept in the cause.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from tollkeeper.adapters.wire.waits import wait_of
from tollkeeper.domain.secret import Secret

LONGEST_TEXT = 2_000
_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


class ProviderFault(Exception):
    """What the provider itself said went wrong; the cause of the error that is raised for it.

    *status* is None for a fault inside an answer that began well. *text* holds the provider's
    own words, which may repeat the prompt or the key: nothing shows it but itself, nor does a
    pickle keep it.
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
        self._text = Secret(text)
        self.reason = reason
        self.moderated = moderated
        self.wait = wait

    def __reduce__(self) -> tuple[Any, ...]:
        told = ("status", "kind", "code", "reason", "moderated", "wait")
        return _made_of, ({name: getattr(self, name) for name in told},)

    @property
    def text(self) -> str:
        """The provider's own words."""
        return self._text.reveal()

    @property
    def name(self) -> str:
        """The provider's own name for it: a code that is no number, else the type, else that."""
        return self.code if self.code and not self.code.isdecimal() else self.kind or self.code


def _made_of(told: Mapping[str, Any]) -> ProviderFault:
    return ProviderFault(**told)


def decode_fault(body: bytes, *, status: int | None = None) -> ProviderFault:
    """Read an error body of whatever shape; what cannot be read leaves the status alone."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ProviderFault(status=status, text=body[:LONGEST_TEXT].decode(errors="replace"))
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
        return ProviderFault(status=status, text=str(found)[:LONGEST_TEXT])
    metadata = found.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    text = word(found.get("message"), longest=LONGEST_TEXT)
    reason, wait = _details(found.get("details"))
    return ProviderFault(
        status=status,
        kind=word(found.get("type") or found.get("status")),
        code=word(found.get("code")),
        # OpenRouter passes on what the provider behind it said.
        text=f"{text} {word(metadata.get('raw'), longest=LONGEST_TEXT)}".strip(),
        reason=reason,
        moderated=bool(metadata.get("reasons")),
        wait=wait,
    )


def word(value: Any, *, longest: int = 100) -> str:
    """Return a text or whole number as at most *longest* characters, all else as none."""
    return str(value)[:longest] if isinstance(value, str | int) else ""


def _details(details: object) -> tuple[str, timedelta | None]:
    """Return the reason and the time to wait that Google's errors give in their details."""
    reason, wait = "", None
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            reason = reason or word(detail.get("reason"))
            delay = _DELAY.fullmatch(word(detail.get("retryDelay")))
            wait = wait_of(float(delay[1])) if delay else wait
    return reason, wait
