"""The contract of :class:`tollkeeper.ports.identifiers.Identifiers`."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.ports.identifiers import Identifiers

_WELL_FORMED = re.compile(r"[A-Za-z0-9_]+")
_KINDS = ("a", "key", "hold", "entry", "k" * 16)
_MANY = 5000


class IdentifiersContract(Contract):
    """What every maker of identifiers promises.

    Fixtures: ``identifiers``, and ``other_identifiers``, another instance.
    """

    @pytest.mark.parametrize("kind", _KINDS)
    async def test_an_identifier_names_its_kind(self, identifiers: Identifiers, kind: str) -> None:
        made = identifiers.new(kind)
        assert made.startswith(f"{kind}_")
        assert len(made) <= 64
        assert len(made) > len(kind) + 1
        assert _WELL_FORMED.fullmatch(made)

    @pytest.mark.parametrize("kind", ["", "k" * 17, "Hold", "hold_", "hold-", "h0ld", "hölder"])
    async def test_a_malformed_kind_is_refused(self, identifiers: Identifiers, kind: str) -> None:
        with pytest.raises(InvalidRequest):
            identifiers.new(kind)

    async def test_none_is_made_twice(self, identifiers: Identifiers) -> None:
        made = [identifiers.new(kind) for kind in _KINDS for _ in range(_MANY)]
        assert len(set(made)) == len(made)

    async def test_no_two_instances_make_the_same(
        self, identifiers: Identifiers, other_identifiers: Identifiers
    ) -> None:
        assert identifiers is not other_identifiers
        ours = {identifiers.new("hold") for _ in range(_MANY)}
        theirs = {other_identifiers.new("hold") for _ in range(_MANY)}
        assert not ours & theirs

    async def test_no_two_threads_get_the_same(self, identifiers: Identifiers) -> None:
        def make(_: int) -> list[str]:
            return [identifiers.new("hold") for _ in range(_MANY // 8)]

        with ThreadPoolExecutor(8) as threads:
            made = [name for names in threads.map(make, range(8)) for name in names]
        assert len(set(made)) == len(made)

    @pytest.mark.parametrize("size", [0, 1, 10, 16, 32, 1000])
    async def test_as_many_random_bytes_come_as_asked(
        self, identifiers: Identifiers, size: int
    ) -> None:
        assert type(identifiers.random_bytes(size)) is bytes
        assert len(identifiers.random_bytes(size)) == size

    async def test_random_bytes_are_never_the_same(
        self, identifiers: Identifiers, other_identifiers: Identifiers
    ) -> None:
        made = [
            each.random_bytes(16) for each in (identifiers, other_identifiers) for _ in "a" * 999
        ]
        assert len(set(made)) == len(made)

    async def test_random_bytes_take_every_value(self, identifiers: Identifiers) -> None:
        assert len(set(identifiers.random_bytes(10_000))) == 256
