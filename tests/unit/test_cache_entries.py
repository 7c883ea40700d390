"""What may be kept in a cache."""

from datetime import timedelta

import pytest

from tollkeeper.domain.cache_entries import (
    LARGEST_VALUE,
    LONGEST_KEY,
    checked_cache_entry,
    checked_cache_key,
)
from tollkeeper.domain.errors import InvalidRequest

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("key", ["k", "answer:acme:1", "x" * LONGEST_KEY])
def test_a_key_is_printable_and_without_spaces(key: str) -> None:
    assert checked_cache_key(key) == key


@pytest.mark.parametrize(
    "key", ["", "a b", "a\n", "x" * (LONGEST_KEY + 1), None, 5, b"k"], ids=repr
)
def test_anything_else_is_no_key(key: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked_cache_key(key)
    assert refused.value.code == "invalid_cache_key"


def test_a_value_is_bytes_up_to_a_mebibyte() -> None:
    checked_cache_entry("k", b"", ttl=MINUTE)
    checked_cache_entry("k", b"x" * LARGEST_VALUE, ttl=timedelta(microseconds=1))


@pytest.mark.parametrize(
    "value", [b"x" * (LARGEST_VALUE + 1), "text", None, bytearray(1)], ids=lambda v: repr(v)[:20]
)
def test_anything_else_is_no_value(value: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked_cache_entry("k", value, ttl=MINUTE)
    assert refused.value.code == "invalid_cache_value"


@pytest.mark.parametrize("ttl", [timedelta(0), -MINUTE, 60, None, timedelta.max], ids=repr)
def test_a_time_to_live_is_a_positive_duration(ttl: timedelta) -> None:
    with pytest.raises(InvalidRequest):
        checked_cache_entry("k", b"x", ttl=ttl)
