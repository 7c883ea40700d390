"""What every public entrance checks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.checks import (
    checked_account,
    checked_duration,
    checked_idempotency_key,
    checked_json_object,
    checked_limit,
    checked_model,
    checked_operation,
    checked_scopes,
    checked_text,
    checked_time,
    checked_unicode,
)
from tollkeeper.domain.errors import InvalidRequest

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.lists(st.text() | st.integers()) | st.dictionaries(st.text(), st.text())
    | st.datetimes() | st.timedeltas() | st.sets(st.text()) | st.complex_numbers()
)  # fmt: skip


class Unsure(tzinfo):
    """Claims to be a time zone and knows nothing."""

    def __repr__(self) -> str:
        return "unsure"

    def utcoffset(self, _: datetime | None) -> None: ...

    def dst(self, _: datetime | None) -> None: ...

    def tzname(self, _: datetime | None) -> None: ...


CHECKS: dict[str, Callable[[Any], object]] = {
    "account": checked_account,
    "scopes": checked_scopes,
    "model": checked_model,
    "operation": checked_operation,
    "text": lambda value: checked_text(value, field="it"),
    "idempotency key": checked_idempotency_key,
    "time": checked_time,
    "duration": lambda value: checked_duration(value, field="it", shortest=SECOND),
    "limit": checked_limit,
    "unicode": lambda value: checked_unicode(value, field="it"),
    "json": lambda value: checked_json_object(value, field="it"),
}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@given(value=ANYTHING)
def test_anything_is_either_taken_as_it_is_or_refused(
    check: Callable[[Any], object], value: object
) -> None:
    try:
        taken = check(value)
    except InvalidRequest:
        return
    assert taken == value or taken == frozenset(value)  # type: ignore[call-overload]


GOOD: dict[str, tuple[object, ...]] = {
    "account": ("a", "acme", "Acme.Inc:7@x_-", "0" * 128),
    "scopes": ({"a:b"}, ["chat:complete"], ("a:b", "a:b")),
    "model": ("offline/echo", "openai/gpt-4o", "a/b/c:d@e", "a/" + "!" * 191),
    "operation": ("chat:complete", "a:b", "a-b_c:d9"),
    "text": ("", "héllo wörld", "x" * 255, "日本"),
    "idempotency key": ("k", "x" * 255, "a b"),
    "duration": (SECOND, timedelta(days=36_525)),
    "limit": (1, 1000),
    "unicode": ("", "\0\n", "😀"),
    "json": ({}, {"a": [1, None, {"b": "c"}]}),
}
BAD: dict[str, tuple[object, ...]] = {
    "account": ("", "a b", ".a", "x" * 129, "a\n", "é", "a/b", "a*"),
    "scopes": ("a:b", [], {"a"}, {"a:*"}, {"A:b"}, ["a:b", 5], {"a:b:c"}),
    "model": ("", "echo", "/echo", "offline/", "a/b c", "A/b", "a/é", "a/b\n"),
    "operation": ("", "chat", "chat:", ":complete", "a:b:c", "a b:c", "*:*"),
    "text": ("a\nb", "\0", "x" * 256, "\ud800", "\u2028", "\x1b[31m"),
    "idempotency key": ("", "x" * 256, "a\nb", 0),
    "duration": (SECOND / 2, -SECOND, timedelta.max, 60, "1m"),
    "limit": (0, -1, 1001, 1.0, True, "10"),
    "unicode": ("\ud800", b"x"),
    "json": ({5: 5}, {"a": {1, 2}}, [("a", 1)], {"a": float("nan")}),
}


def pairs(table: dict[str, tuple[object, ...]]) -> list[tuple[str, object]]:
    return [(check, value) for check, values in table.items() for value in values]


@pytest.mark.parametrize(("check", "value"), pairs(GOOD), ids=lambda value: repr(value)[:40])
def test_what_is_well_formed_is_taken(check: str, value: Any) -> None:
    assert CHECKS[check](value) in (value, frozenset(value) if check == "scopes" else value)


@pytest.mark.parametrize(("check", "value"), pairs(BAD), ids=lambda value: ascii(value)[:40])
def test_what_is_malformed_is_refused(check: str, value: Any) -> None:
    with pytest.raises(InvalidRequest):
        CHECKS[check](value)


def test_a_refusal_names_the_argument() -> None:
    with pytest.raises(InvalidRequest, match="actor must be printable"):
        checked_text("a\nb", field="actor")
    with pytest.raises(InvalidRequest, match="expires_in must be a timedelta of at least 0:00:01"):
        checked_duration(timedelta(0), field="expires_in", shortest=SECOND)


def test_a_time_of_any_zone_is_told_in_utc() -> None:
    there = timezone(timedelta(hours=-8))
    at = checked_time(NOW.astimezone(there))
    assert at == NOW
    assert at.tzinfo is UTC


@pytest.mark.parametrize(
    "at",
    [
        None, "2026-11-22", 0, NOW.date(), NOW.replace(tzinfo=None), NOW.replace(tzinfo=Unsure()),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
    ],
    ids=repr,
)  # fmt: skip
def test_a_time_without_a_zone_or_out_of_range_is_refused(at: datetime) -> None:
    with pytest.raises(InvalidRequest, match="since"):
        checked_time(at, field="since")
