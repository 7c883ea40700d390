"""Checks of names and times that every public entrance shares."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tollkeeper.domain.errors import InvalidRequest

_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}")
_SCOPE = re.compile(r"[a-z][a-z0-9_-]{0,63}:[a-z][a-z0-9_-]{0,63}")
_MODEL = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}/[!-~]{1,191}")
_LONGEST_TEXT = 255
_LONGEST_DURATION = timedelta(days=36_525)
"""A hundred years: what is added to a time of today stays a time."""


def checked_account(account: str) -> str:
    """Return *account*, a name of 1-128 letters, digits and ``._:@-``.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not isinstance(account, str) or not _ACCOUNT.fullmatch(account):
        raise InvalidRequest(
            "account must be 1-128 letters, digits or . _ : @ -, and start with a letter or digit",
            code="invalid_account",
        )
    return account


def checked_scopes(scopes: object) -> frozenset[str]:
    """Return *scopes* as a set of one or more ``resource:action`` names.

    Raises:
        InvalidRequest: it is empty, a bare string, or holds a malformed scope.
    """
    if isinstance(scopes, str) or not isinstance(scopes, set | frozenset | list | tuple):
        raise InvalidRequest("scopes must be a set of names", code="invalid_scope")
    for scope in scopes:
        if not isinstance(scope, str) or not _SCOPE.fullmatch(scope):
            raise InvalidRequest(
                "a scope must read resource:action, such as chat:complete", code="invalid_scope"
            )
    if not scopes:
        raise InvalidRequest("a key needs at least one scope", code="invalid_scope")
    return frozenset(scopes)


def checked_model(model: str) -> str:
    """Return *model*, written ``provider/name``.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        raise InvalidRequest(
            "model must read provider/name, such as offline/echo", code="invalid_model"
        )
    return model


def checked_text(text: str, *, field: str, longest: int = _LONGEST_TEXT) -> str:
    """Return *text*: printable, on one line, at most *longest* characters.

    Raises:
        InvalidRequest: it is anything else; the message names *field*.
    """
    if not isinstance(text, str) or len(text) > longest or not text.isprintable():
        raise InvalidRequest(f"{field} must be printable text of at most {longest} characters")
    return text


def checked_idempotency_key(key: str) -> str:
    """Return *key*: 1-255 printable characters.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not key:
        raise InvalidRequest("idempotency_key must not be empty", code="invalid_idempotency_key")
    return checked_text(key, field="idempotency_key")


def checked_time(at: datetime, *, field: str = "at") -> datetime:
    """Return *at* in UTC.

    Raises:
        InvalidRequest: it is no datetime, has no time zone, or is no time in UTC.
    """
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise InvalidRequest(f"{field} must be a datetime with a time zone")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise InvalidRequest(f"{field} lies outside of the years 1 to 9999") from None


def checked_duration(duration: timedelta, *, field: str, shortest: timedelta) -> timedelta:
    """Return *duration*, which must be at least *shortest*, and a hundred years at most.

    Raises:
        InvalidRequest: it is no timedelta, or shorter, or longer.
    """
    if not isinstance(duration, timedelta) or duration < shortest:
        raise InvalidRequest(f"{field} must be a timedelta of at least {shortest}")
    if duration > _LONGEST_DURATION:
        raise InvalidRequest(f"{field} must be a timedelta of at most a hundred years")
    return duration


def checked_limit(limit: int, *, most: int = 1000) -> int:
    """Return *limit*: how many rows a page has, 1 to *most*.

    Raises:
        InvalidRequest: it is anything else.
    """
    if type(limit) is not int or not 1 <= limit <= most:
        raise InvalidRequest(f"limit is a whole number between 1 and {most}")
    return limit


def checked_operation(operation: str) -> str:
    """Return *operation*, written ``resource:action``.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not isinstance(operation, str) or not _SCOPE.fullmatch(operation):
        raise InvalidRequest("operation must read resource:action, such as chat:complete")
    return operation


def checked_unicode(text: str, *, field: str, code: str | None = None) -> str:
    """Return *text*: any text that can be written as UTF-8.

    Raises:
        InvalidRequest: it is no str, or holds half of a surrogate pair.
    """
    if not isinstance(text, str):
        raise InvalidRequest(f"{field} must be text", code=code)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(f"{field} holds text that is no valid Unicode", code=code) from None
    return text


def checked_json_object(
    value: Mapping[str, object], *, field: str, code: str | None = None
) -> Mapping[str, object]:
    """Return *value*: a mapping that JSON can express.

    Raises:
        InvalidRequest: it is anything else.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InvalidRequest(f"{field} must be a mapping with texts as keys", code=code)
    try:
        json.dumps(dict(value), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise InvalidRequest(f"{field} cannot be written as JSON", code=code) from None
    return value
