"""Text of others ends no line, paints nothing and turns nothing round where it is printed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.printed import printed, printed_json

ANY = st.text(st.characters(codec=None), max_size=60)
HOSTILE = {
    "a\r\nkey.revoked": r"a\r\nkey.revoked",
    "\x1b[2J\x1b]0;x\x07": r"\x1b[2J\x1b]0;x\x07",
    "\x9b31m\x85": r"\x9b31m\x85",
    "a\u2028b\u2029c": r"a\u2028b\u2029c",
    "\u202egnp.exe\u2066\u200f": r"\u202egnp.exe\u2066\u200f",
    "\ud800 \udfff": r"\ud800 \udfff",
    "\ufeff\u200b\xad": r"\ufeff\u200b\xad",
    "\U000e0041": r"\U000e0041",
    "\0\t\v\f\x7f": r"\x00\t\x0b\x0c\x7f",
}


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_what_is_no_character_is_written_out(text: str) -> None:
    """CR, LF, ANSI, bidi controls and halves of pairs (T25)."""
    assert printed(text) == HOSTILE[text]


@pytest.mark.parametrize("text", ["", "plain", '{"a": "b"}', "Zürich ✓ 🚀 日本", r"C:\new", "%s{}"])
def test_what_can_be_printed_stays(text: str) -> None:
    assert printed(text) == text


@given(ANY)
def test_whatever_it_is_it_is_printed_on_one_line(text: str) -> None:
    """Any text at all (T25)."""
    shown = printed(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    assert printed(shown) == shown
    shown.encode()


@given(ANY, st.integers(0, 30))
def test_it_is_no_longer_than_it_may_be(text: str, longest: int) -> None:
    shown = printed(text, longest=longest)
    assert len(shown) <= longest + 1
    assert shown.isprintable()
    assert shown == printed(text) or shown.endswith("…")


@given(
    st.recursive(
        ANY | st.none() | st.integers(),
        lambda v: st.lists(v) | st.dictionaries(ANY, v),
        max_leaves=8,
    )
)
def test_a_document_stays_the_same_document(value: object) -> None:
    """JSON with anything in its texts (T25)."""
    for indent in (None, 2):
        shown = printed_json(json.dumps(value, ensure_ascii=False, indent=indent))
        assert json.loads(shown) == value
        assert shown.replace("\n", "").isprintable()
        shown.encode()
