"""What a column of each kind takes, and how a wrong one is told."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.errors import CorruptResponse, InvalidRequest
from tollkeeper.domain.table_values import Kind, checked_value, json_text, read_value

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e15, 1e15) | st.text("aü\n\"'"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=30, max_value=10**60))
def test_decimals_keep_their_value_whatever_the_context(number: Decimal) -> None:
    with localcontext() as context:
        context.prec = 3
        kept = checked_value(Kind.DECIMAL, number, field="x")
    assert kept == number
    assert kept.as_tuple().exponent <= 0
    assert "E" not in format(kept, "f")
    text = format(kept, "f")
    assert not ("." in text and text.endswith("0"))


@given(JSON)
def test_json_is_copied_and_written_as_it_is(value: object) -> None:
    kept = checked_value(Kind.JSON, value, field="x")
    assert kept == value
    if isinstance(value, list | dict):
        assert kept is not value
    if value is not None:
        assert json_text(kept)


def test_json_too_deep_or_too_large_is_refused() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (deep, "x" * (1 << 20), {"a": "x" * (1 << 20)}, 10**5000):
        with pytest.raises(InvalidRequest) as refused:
            checked_value(Kind.JSON, value, field="x")
        assert refused.value.code == "invalid_value"


@pytest.mark.parametrize("kind", list(Kind))
def test_null_is_of_every_kind(kind: Kind) -> None:
    assert checked_value(kind, None, field="x") is None
    assert read_value(kind, None, adapter="memory", field="x") is None


@pytest.mark.parametrize("kind", list(Kind))
def test_what_is_refused_is_named_by_its_column_and_never_by_its_value(kind: Kind) -> None:
    class Secret:
        def __repr__(self) -> str:
            return "a secret"

    with pytest.raises(InvalidRequest, match="price must be") as refused:
        checked_value(kind, Secret(), field="price")
    with pytest.raises(CorruptResponse, match=f"price is declared as {kind}") as corrupt:
        read_value(kind, Secret(), adapter="memory", field="price")
    for error in (refused.value, corrupt.value):
        assert "a secret" not in f"{error!r} {error.__cause__!r}"
    assert (corrupt.value.port, corrupt.value.code) == ("tables", "kind_mismatch")
