"""A data key goes forward only; what is malformed is refused."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.encryption import (
    AES_256_GCM,
    DataKey,
    DataKeyState,
    WrappedKey,
    checked_context,
    is_key,
    length_prefixed,
    not_a_key,
)
from tollkeeper.domain.errors import Conflict, InvalidRequest

NOW = datetime(2001, 1, 1, 12, tzinfo=UTC)
KEY = DataKey(
    id="datakey_1",
    account="acme",
    algorithm=AES_256_GCM,
    wrapped=WrappedKey("kek_1", b"wrapped"),
    commitment=bytes(16),
    state=DataKeyState.PRIMARY,
    created_at=NOW,
)


@given(st.lists(st.binary(max_size=6), max_size=5), st.lists(st.binary(max_size=6), max_size=5))
def test_parts_divided_otherwise_give_other_bytes(one: list[bytes], other: list[bytes]) -> None:
    assert (length_prefixed(*one) == length_prefixed(*other)) is (one == other)


MALFORMED: dict[str, Callable[[], object]] = {
    "algorithm": lambda: evolve(KEY, algorithm=3),
    "algorithm that is true": lambda: evolve(KEY, algorithm=True),
    "id": lambda: evolve(KEY, id="a-b"),
    "id of another type": lambda: evolve(KEY, id=b"a"),  # type: ignore[arg-type] # the fault
    "commitment": lambda: evolve(KEY, commitment=bytes(15)),
    "commitment of text": lambda: evolve(KEY, commitment="x"),  # type: ignore[arg-type] # the same
    "kek_id": lambda: WrappedKey("", b"x"),
    "kek_id of two lines": lambda: WrappedKey("a\nb", b"x"),
    "wrapped text": lambda: WrappedKey("a", "x"),  # type: ignore[arg-type] # the fault
    "wrapped too long": lambda: WrappedKey("a", bytes(6145)),
    "gone but not destroyed": lambda: evolve(KEY, wrapped=WrappedKey("kek_1", b"")),
    "destroyed but not gone": lambda: evolve(KEY, state=DataKeyState.DESTROYED),
    "context empty": lambda: checked_context({}),
    "context of texts": lambda: checked_context("tenant"),  # type: ignore[arg-type] # the fault
    "context of numbers": lambda: checked_context({"a": 1}),  # type: ignore[dict-item] # as above
    "context with an empty name": lambda: checked_context({"": "a"}),
    "context too large": lambda: checked_context({str(n): "a" for n in range(9)}),
}


@pytest.mark.parametrize("make", MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidRequest):
        make()


@pytest.mark.parametrize("odd", [b"", bytes(31), bytes(33), "x" * 32, bytearray(32), None])
def test_a_key_is_32_bytes(odd: Any) -> None:
    assert is_key(bytes(32))
    assert not is_key(odd)
    assert not_a_key().code == "invalid_encryption_key"


def test_a_data_key_goes_forward_only() -> None:
    retired = KEY.retire()
    assert (retired.state, retired.version) == (DataKeyState.READABLE, 2)
    rewrapped = retired.rewrap(WrappedKey("kek_2", b"other"))
    assert (rewrapped.wrapped.kek_id, rewrapped.version) == ("kek_2", 3)
    gone = rewrapped.destroy()
    assert (gone.state, gone.version) == (DataKeyState.DESTROYED, 4)
    assert gone.wrapped == WrappedKey("kek_2", b"")
    assert gone.destroy() is gone
    with pytest.raises(Conflict) as refused:
        gone.rewrap(WrappedKey("kek_2", b"x"))
    assert refused.value.code == "data_key_destroyed"
    for key in (retired, gone):
        with pytest.raises(Conflict) as refused:
            key.retire()
        assert refused.value.code == "data_key_not_primary"


def test_nothing_shows_what_is_wrapped() -> None:
    assert "wrapped'" not in repr(KEY)
    assert "\\x00" not in repr(KEY)
