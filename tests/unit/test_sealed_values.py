"""A sealed value reads as it was written, and is bound to exactly one place."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.encryption import ALGORITHMS, LARGEST_PLAINTEXT
from tollkeeper.domain.errors import CorruptResponse, InvalidRequest
from tollkeeper.domain.sealed_values import Place, SealedValue, associated_data

IDS = st.text("ab19_", min_size=1, max_size=64)
ACCOUNTS = st.text("ab1:", min_size=1, max_size=6).map(lambda text: f"a{text}")
PARTS = st.text("ab1: é🚀", min_size=1, max_size=6)
PLACES = st.builds(Place, ACCOUNTS, PARTS, PARTS, PARTS)
HEADERS = st.tuples(st.sampled_from(sorted(ALGORITHMS)), IDS)
SEALED = st.builds(
    SealedValue, st.sampled_from(sorted(ALGORITHMS)), IDS, st.binary(min_size=28, max_size=99)
)


def is_malformed(sealed: bytes, why: str | None = None) -> bool:
    with pytest.raises(CorruptResponse, match=why) as refused:
        SealedValue.parse(sealed)
    assert (refused.value.code, refused.value.port) == ("sealed_value_malformed", "cipher")
    assert refused.value.__cause__ is refused.value.__context__ is None
    return True


@given(SEALED)
def test_a_sealed_value_reads_as_it_was_written(sealed: SealedValue) -> None:
    assert SealedValue.parse(sealed.to_bytes()) == sealed


@given(SEALED, SEALED)
def test_other_values_are_written_otherwise(one: SealedValue, other: SealedValue) -> None:
    assert (one.to_bytes() == other.to_bytes()) is (one == other)


def test_the_format_stays_what_it_is() -> None:
    """What was stored by one release is read by the next."""
    body = bytes(range(28))
    assert SealedValue(2, "datakey_1", body).to_bytes() == b"\x01\x02\x09datakey_1" + body


@given(SEALED, st.integers(0, 200))
def test_every_truncation_of_an_empty_text_is_malformed(sealed: SealedValue, cut: int) -> None:
    whole = evolve(sealed, body=sealed.body[:28]).to_bytes()
    assert is_malformed(whole[: cut % len(whole)])


@pytest.mark.parametrize(
    ("sealed", "why"),
    [
        (b"", "cut short"),
        (b"hello", "cut short"),
        (b"\x00\x01\x01k" + bytes(28), "format is unknown"),
        (b"\x02\x01\x01k" + bytes(28), "format is unknown"),
        (b"\xff\x01\x01k" + bytes(28), "format is unknown"),
        (b"\x01\x00\x01k" + bytes(28), "algorithm is unknown"),
        (b"\x01\x03\x01k" + bytes(28), "algorithm is unknown"),
        (b"\x01\x01\x00k" + bytes(28), "names no data key"),
        (b"\x01\x01\x41" + b"k" * 65 + bytes(28), "names no data key"),
        (b"\x01\x01\x01-" + bytes(28), "names no data key"),
        (b"\x01\x01\x01\xe9" + bytes(28), "names no data key"),
        (b"\x01\x01\x02k\n" + bytes(28), "names no data key"),
        (b"\x01\x01\x02k" + b"k" + bytes(27), "cut short"),
        (b"\x01\x01\x01k" + bytes(29 + LARGEST_PLAINTEXT), "too long"),
    ],
)
def test_what_is_no_sealed_value_is_refused(sealed: bytes, why: str) -> None:
    """Wrong version, algorithm, id or length: none is guessed at (T20)."""
    assert is_malformed(sealed, why)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(noise: bytes) -> None:
    try:
        read = SealedValue.parse(noise)
    except CorruptResponse:
        return
    assert read.to_bytes() == noise


@pytest.mark.parametrize("odd", [None, "x" * 40, bytearray(40), 7])
def test_a_sealed_value_is_bytes(odd: Any) -> None:
    with pytest.raises(InvalidRequest, match="a sealed value is bytes"):
        SealedValue.parse(odd)
    with pytest.raises(InvalidRequest, match="the body of a sealed value"):
        SealedValue(1, "k", odd)


@given(st.tuples(HEADERS, PLACES), st.tuples(HEADERS, PLACES))
def test_each_place_and_header_has_its_own_associated_data(
    one: tuple[tuple[int, str], Place], other: tuple[tuple[int, str], Place]
) -> None:
    written = [
        associated_data(algorithm=algorithm, data_key_id=key, place=place)
        for (algorithm, key), place in (one, other)
    ]
    assert (written[0] == written[1]) is (one == other)


def test_a_boundary_between_parts_cannot_be_moved() -> None:
    """The case that joining with a separator, or with nothing, gets wrong."""
    places = [Place("a", "bc", "d", "e"), Place("a", "b", "cd", "e"), Place("ab", "c", "d", "e")]
    written = {associated_data(algorithm=1, data_key_id="k", place=each) for each in places}
    assert len(written) == 3


def test_associated_data_stays_what_it_is() -> None:
    place = Place("a", "t", "r", "c")
    assert associated_data(algorithm=2, data_key_id="key", place=place) == (
        b"tollkeeper/sealed-value/1/2/3:key1:a1:t1:r1:c"
    )


@pytest.mark.parametrize("odd", ["", "x" * 256, "a\nb", "\ud83d", None, 7, b"x"], ids=ascii)
@pytest.mark.parametrize("field", ["account", "table", "row", "column"])
def test_a_malformed_part_of_a_place_is_named(field: str, odd: Any) -> None:
    parts = {"account": "acme", "table": "t", "row": "r", "column": "c"} | {field: odd}
    with pytest.raises(InvalidRequest, match=field):
        Place(**parts)


def test_a_sealed_value_shows_its_key_and_not_its_body() -> None:
    assert repr(SealedValue(2, "k", b"hidden" * 5)) == "SealedValue(algorithm=2, data_key_id='k')"
