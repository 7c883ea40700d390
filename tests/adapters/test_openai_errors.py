"""What a provider's error bodies and headers mean, without a network."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tollkeeper.adapters.openai.faults import provider_error
from tollkeeper.adapters.wire.faults import decode_fault
from tollkeeper.adapters.wire.waits import retry_after
from tollkeeper.domain.errors import (
    ContextWindowExceeded,
    CredentialsRefused,
    PortError,
    Throttled,
    Unavailable,
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"7",
        b'{"error": null}',
        b'{"error": "text"}',
        b'{"error": {"code": {"a": 1}, "type": [], "message": 7}}',
        b'[{"error": {"code": 503, "message": "m", "status": "UNAVAILABLE"}}]',
        b'{"object": "error", "message": "m", "type": "BadRequestError", "code": 400}',
        b'{"detail": [{"loc": ["body"], "msg": "m"}]}',
        b"\xff\xfe",
        b"[" * 50_000,
    ],
)
def test_an_error_body_of_any_shape_leaves_the_status_to_go_by(body: bytes) -> None:
    assert type(provider_error(decode_fault(body, status=503))) is Unavailable
    assert type(provider_error(decode_fault(body, status=429))) is Throttled
    assert isinstance(provider_error(decode_fault(body)), PortError)


def test_a_full_context_window_is_known_by_the_sentence_of_open_servers() -> None:
    body = b'{"message": "This model\'s maximum context length is 4096 tokens.", "code": 400}'
    assert type(provider_error(decode_fault(body, status=400))) is ContextWindowExceeded


def test_a_quota_that_is_used_up_is_no_rate_to_wait_for() -> None:
    body = b'{"error": {"code": "insufficient_quota", "type": "insufficient_quota"}}'
    error = provider_error(decode_fault(body, status=429), {"retry-after": "1"})
    assert isinstance(error, CredentialsRefused)
    assert error.code == "provider_quota_exhausted"
    assert not error.retryable
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1.5", 1.5),
        (" 20 ", 20),
        ("-5", 0),
        ("1e9", 86_400),
        ("1e999", None),
        ("nan", None),
        ("", None),
        ("Wed, 31 Feb 2001 00:00:00 GMT", None),
    ],
)
def test_how_long_to_wait_is_bounded(text: str, seconds: float | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after({"retry-after": text}) == expected


def test_a_date_to_wait_for_counts_from_the_answers_own_date() -> None:
    sent = datetime(2001, 1, 1, 12, tzinfo=UTC)
    date, until = format_datetime(sent), format_datetime(sent + timedelta(seconds=90))
    assert retry_after({"retry-after": until, "date": date}) == timedelta(seconds=90)
    assert retry_after({"retry-after": date, "date": until}) == timedelta(0)
    assert retry_after({"retry-after": until}) == timedelta(0), "long past by now"
