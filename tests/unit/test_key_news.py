"""News of keys is read as it was written, and what is none of ours is never taken for one."""

import json
from datetime import UTC, datetime

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.api_keys import ApiKey, KeySecret
from tollkeeper.domain.broadcasts import checked_message, checked_topic
from tollkeeper.domain.key_news import TOPIC, KeyChanged, change_of, end_of, read_change

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ONE, TWO, THREE = (KeySecret(f"kid{n:013d}", bytes(32), "pepper", NOW) for n in range(3))
KEY = ApiKey(
    id="key-1",
    account="acme",
    name="ci",
    scopes=frozenset({"chat:complete"}),
    prefix="tk_live",
    secrets=(ONE, TWO),
    created_at=NOW,
    version=3,
)
CHANGES = st.builds(
    KeyChanged, st.text(), st.integers(), st.lists(st.text(), max_size=3).map(tuple)
)


@given(CHANGES)
def test_a_change_is_read_as_it_is_written(change: KeyChanged) -> None:
    assert read_change(change.to_bytes()) == change


def test_a_change_names_the_secrets_of_before_and_after_and_nothing_secret() -> None:
    rotated = evolve(KEY, secrets=(THREE, ONE), version=4)
    change = change_of(KEY, rotated)
    assert change == KeyChanged("key-1", 4, (ONE.kid, TWO.kid, THREE.kid))
    assert change_of(KEY).version == 3
    text = change.to_bytes().decode()
    assert "acme" not in text
    assert ONE.verifier.hex() not in text
    checked_topic(TOPIC)
    checked_message(change.to_bytes())


def test_a_key_that_is_gone_is_newer_than_any() -> None:
    end = end_of(evolve(KEY, version=2**40))
    assert end.version > 2**60
    assert end.kids == (ONE.kid, TWO.kid)
    assert read_change(end.to_bytes()) == end


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"null", b"5", b"{}", b"[]", b'"key-1"', b'["key-1"]', b'["key-1", "3"]'),
        *(
            b'["key-1", true]',
            b'["key-1", 3.0]',
            b'["key-1", null]',
            b'[1, 3, "kid"]',
            b'["key-1", 3, 4]',
        ),
        *(b'["key-1", 3, ["kid"]]', b'["key-1", 3, null]', b'{"key-1": 3}', b'["key-1", 3'),
    ],
)
def test_what_is_no_change_is_none(data: bytes) -> None:
    assert read_change(data) is None


@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b"\x00" * 8, b"\x80abc", "é".encode("utf-16"), b"[" * 8000, b"9" * 8000]
)
def test_bytes_that_are_no_json_are_none(data: bytes) -> None:
    assert read_change(data) is None


@given(st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_no_message_is_an_exception(data: bytes | str) -> None:
    sent = data if isinstance(data, bytes) else data.encode()
    change = read_change(sent)
    assert change is None or read_change(change.to_bytes()) == change
