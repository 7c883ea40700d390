"""The memory identifiers keep their contract and can be foreseen."""

import pytest

from tollkeeper.adapters.memory.identifiers import MemoryIdentifiers
from tollkeeper.contracts.identifiers import IdentifiersContract
from tollkeeper.domain.errors import InvalidRequest


class TestMemoryIdentifiers(IdentifiersContract):
    @pytest.fixture
    def identifiers(self) -> MemoryIdentifiers:
        return MemoryIdentifiers()

    @pytest.fixture
    def other_identifiers(self) -> MemoryIdentifiers:
        return MemoryIdentifiers()


class TestSeededMemoryIdentifiers(IdentifiersContract):
    @pytest.fixture
    def identifiers(self) -> MemoryIdentifiers:
        return MemoryIdentifiers("one")

    @pytest.fixture
    def other_identifiers(self) -> MemoryIdentifiers:
        return MemoryIdentifiers("another")


def test_they_count() -> None:
    identifiers = MemoryIdentifiers("run1")
    assert identifiers.new("hold") == "hold_run1_00000001"
    assert identifiers.new("entry") == "entry_run1_00000002"


def test_the_same_seed_gives_the_same() -> None:
    one, two = MemoryIdentifiers("s"), MemoryIdentifiers("s")
    assert one.random_bytes(32) == two.random_bytes(32)
    assert one.new("key") == two.new("key")
    assert one.random_bytes(32) == two.random_bytes(32)


@pytest.mark.parametrize("seed", ["", "a_b", "a b", "x" * 33, "ü"])
def test_a_malformed_seed_is_refused(seed: str) -> None:
    with pytest.raises(InvalidRequest):
        MemoryIdentifiers(seed)
