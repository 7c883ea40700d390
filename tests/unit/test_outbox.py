"""What a message may be, and when it is tried again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.outbox import (
    LARGEST_PAYLOAD,
    Delivery,
    Message,
    checked_lease,
    kept_error,
    next_try,
)

NOW = datetime(2001, 1, 1, tzinfo=UTC)
SOUND: dict[str, Any] = {
    "id": "message_1",
    "account": "acme",
    "topic": "mail",
    "idempotency_key": "welcome",
    "payload": "{}",
    "created_at": NOW,
}


def test_a_message_is_due_when_it_is_written_unless_it_says_so() -> None:
    assert Message(**SOUND).due_at == NOW
    later = Message(**SOUND, due_at=NOW + timedelta(days=1))
    assert Delivery(later).due_at == NOW + timedelta(days=1)


@pytest.mark.parametrize(
    "fault",
    [
        {"id": ""},
        {"id": "two\nlines"},
        {"account": "no account"},
        {"topic": ""},
        {"topic": "x" * 256},
        {"idempotency_key": ""},
        {"payload": "\0"},
        {"payload": "\ud800"},
        {"payload": b"{}"},
        {"payload": "é" * (LARGEST_PAYLOAD // 2 + 1)},
        {"created_at": NOW.replace(tzinfo=None)},
        {"due_at": NOW.replace(tzinfo=None)},
        {"max_tries": 0},
        {"max_tries": 1001},
        {"max_tries": True},
    ],
    ids=lambda fault: f"{next(iter(fault))} {str(next(iter(fault.values())))[:9]!a}",
)
def test_a_message_that_is_not_sound_is_refused(fault: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        Message(**{**SOUND, **fault})


def test_the_largest_payload_is_taken_and_never_shown() -> None:
    message = Message(**{**SOUND, "payload": "é" * (LARGEST_PAYLOAD // 2)})
    assert "é" not in repr(message)
    assert "é" not in repr(Delivery(message))


@given(tries=st.integers(0, 10_000), chance=st.floats(0, 1))
def test_pauses_grow_to_their_bound_and_are_never_less_than_half(tries: int, chance: float) -> None:
    pause = next_try(tries, at=NOW, chance=chance) - NOW
    longest = next_try(tries, at=NOW, chance=0) - NOW
    assert longest / 2 <= pause <= longest <= timedelta(hours=1)
    assert longest <= next_try(tries + 1, at=NOW, chance=0) - NOW


def test_the_first_pauses_double() -> None:
    pauses = [next_try(tries, at=NOW, chance=0) - NOW for tries in (1, 2, 3, 100)]
    assert [pause.total_seconds() for pause in pauses] == [5, 10, 20, 3600]


@pytest.mark.parametrize("lease", [timedelta(0), timedelta(days=1, microseconds=1), 1])
def test_a_lease_that_is_not_sound_is_refused(lease: Any) -> None:
    with pytest.raises(InvalidRequest):
        checked_lease(lease)


def test_an_error_is_kept_on_one_line() -> None:
    assert kept_error("a\nb\0c\ud800") == "a b c "
    assert len(kept_error("x" * 501)) == 500
