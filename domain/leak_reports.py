"""Reports that keys were found where everybody can read them.

They come as GitHub's secret scanning sends them to its partners: a JSON array of objects with
``token``, ``type``, ``url`` (may be empty) and ``source`` (such as ``commit``).
"""

import json
from enum import StrEnum
from hashlib import sha256
from typing import Any

from attrs import field, frozen

from tollkeeper.domain.errors import InvalidRequest, Unauthenticated
from tollkeeper.domain.printed import printed
from tollkeeper.domain.secret import Secret

LARGEST_REPORT = 1 << 20
"""Bytes."""
MOST_REPORTS = 1000
"""Found tokens in one report."""
_LONGEST_KIND = 64
_LONGEST_URL = 1024


@frozen
class LeakReport:
    """One *token* that was found at *url*; *kind* and *source* are the reporter's words for it.

    All but the token may be printed: it holds no control characters and is not long.
    """

    token: Secret
    kind: str = ""
    url: str = ""
    source: str = ""


class LeakOutcome(StrEnum):
    """What became of a reported token."""

    REVOKED = "revoked"
    ALREADY_REVOKED = "already_revoked"
    UNKNOWN = "unknown"
    """It is no token of a key that is here."""


@frozen
class ReportedLeak:
    """What was done about a report, in the order of the reports; it does not hold the token.

    *display* is what may be shown of the key, empty for an unknown token. *token_hash* is the
    SHA-256 of the token, in hexadecimal: by it the reporter knows which one is meant.
    """

    outcome: LeakOutcome
    kind: str
    display: str = ""
    token_hash: str = field(default="", repr=False)


def hash_of(token: Secret) -> str:
    """Return the SHA-256 of *token*, in hexadecimal."""
    return sha256(token.reveal().encode("utf-8", "surrogatepass")).hexdigest()


def not_authentic() -> Unauthenticated:
    """Make the one answer to every report that is not signed as it should be."""
    return Unauthenticated(
        "the report is not signed by a reporter that is known here", code="report_not_authentic"
    )


def no_report() -> InvalidRequest:
    """Make the one answer to whatever is no report; it holds nothing of it."""
    return InvalidRequest(
        f"a report of leaked keys is a JSON array of at most {MOST_REPORTS} objects, each with a "
        f"token that is text, in at most {LARGEST_REPORT} bytes",
        code="invalid_report",
    )


def fits(body: bytes) -> bool:
    """Whether *body* is bytes, and no more of them than a report has."""
    return isinstance(body, bytes) and len(body) <= LARGEST_REPORT


def parse_reports(body: bytes) -> tuple[LeakReport, ...]:
    """Read a report: a JSON array of at most 1,000 objects in at most 1 MiB.

    Members that are not known are ignored, and what is odd about a member that does not matter
    is made printable: a leaked key is to be revoked all the same.

    Raises:
        InvalidRequest: it is anything else (code ``invalid_report``); no token is in the error.
    """
    reports = _reports(body) if fits(body) else None
    del body  # a traceback may show the locals of this frame
    if reports is None:
        raise no_report()
    return reports


def _reports(body: bytes) -> tuple[LeakReport, ...] | None:
    # Errors of the parser hold what they could not read: none of them leaves this function.
    try:
        items = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(items, list) or len(items) > MOST_REPORTS:
        return None
    if not all(isinstance(item, dict) and isinstance(item.get("token"), str) for item in items):
        return None
    return tuple(_report(item) for item in items)


def _report(item: dict[str, Any]) -> LeakReport:
    token = Secret(item["token"])
    told = {name: _told(item.get(name), token) for name in ("type", "url", "source")}
    return LeakReport(
        token=token,
        kind=printed(told["type"], longest=_LONGEST_KIND),
        url=printed(told["url"], longest=_LONGEST_URL),
        source=printed(told["source"], longest=_LONGEST_KIND),
    )


def _told(value: object, token: Secret) -> str:
    """Return *value* if it is text, without the token, which may stand in a URL."""
    text = value if isinstance(value, str) else ""
    return text.replace(token.reveal(), "…") if token else text
