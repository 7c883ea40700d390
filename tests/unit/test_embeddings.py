"""Requests for embeddings are whole, and their answers do not fill the logs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.embeddings import MOST_TEXTS, EmbeddingRequest, Embeddings
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.meters import Meter


def request(**changes: Any) -> EmbeddingRequest:
    return EmbeddingRequest(**{"model": "m", "texts": ["a"], **changes})


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_texts_are_taken_in_their_order(texts: list[str]) -> None:
    assert request(texts=iter(texts)).texts == tuple(texts)
    assert request(texts=texts[0]).texts == (texts[0],)


def test_the_largest_request_is_taken() -> None:
    asked = request(texts=["a"] * MOST_TEXTS, dimensions=65_536, user="u" * 256, extra={"a": {}})
    assert len(asked.texts) == MOST_TEXTS
    assert request().dimensions is None


BAD: dict[str, tuple[object, ...]] = {
    "model": ("", None, 5),
    "texts": (
        *([], (), "", [""], ["a", ""], None, 5, [None], [b"a"], b"ab", ["\ud83d"], [["a"]]),
        ["a"] * (MOST_TEXTS + 1),
    ),
    "dimensions": (0, -1, 1.0, True, "256", 65_537),
    "user": ("", "x" * 257, "a\nb", 5, "\ud83d"),
    "extra": (None, 5, "a=b", [("a", 1)], {5: 5}),
}


@pytest.mark.parametrize(
    ("field", "bad"),
    [(field, bad) for field, values in BAD.items() for bad in values],
    ids=lambda value: ascii(value)[:40],
)
def test_a_malformed_request_is_refused(field: str, bad: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request(**{field: bad})
    assert refused.value.code == ("invalid_texts" if field == "texts" else "invalid_request")


def test_one_request_and_its_tokens_are_charged() -> None:
    embeddings = Embeddings(((0.5,),), input_tokens=7)
    assert embeddings.quantities(input_tokens=7) == {Meter.REQUESTS: 1, Meter.INPUT_TOKENS: 7}


def test_vectors_do_not_fill_the_logs() -> None:
    embeddings = Embeddings(((0.123456789,) * 1536,) * 100, model="m")
    assert "0.123" not in repr(embeddings)
    assert len(repr(embeddings)) < 200
