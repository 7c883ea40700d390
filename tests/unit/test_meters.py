"""Every token belongs to one pool."""

import copy
import pickle
from collections.abc import Callable

import pytest
from attrs import fields

from tollkeeper.domain.completions import TokenUsage
from tollkeeper.domain.meters import INPUT_POOLS, OUTPUT_POOLS, Meter, Quantities


def test_the_families_of_pools_do_not_overlap() -> None:
    assert not set(INPUT_POOLS) & set(OUTPUT_POOLS)
    tokens = {meter for meter in Meter if meter.endswith("_tokens")}
    assert tokens == {*INPUT_POOLS, *OUTPUT_POOLS}


def test_a_meter_is_written_as_it_is_stored() -> None:
    for meter in Meter:
        assert Meter(str(meter)) is meter


def test_a_usage_has_one_pool_for_each_meter_of_tokens() -> None:
    counts = {each.name: number for number, each in enumerate(fields(TokenUsage), start=1)}
    usage = TokenUsage(**counts)
    quantities = dict(usage.quantities())
    assert quantities.pop(Meter.REQUESTS) == 1
    assert quantities.keys() == {*INPUT_POOLS, *OUTPUT_POOLS}
    assert sorted(quantities.values()) == sorted(counts.values())
    assert usage.total == sum(counts.values())
    assert quantities[Meter.CACHE_WRITE_1H_TOKENS] == counts["cache_write_1h"]


@pytest.mark.parametrize(
    "change",
    [
        lambda counts: counts.__setitem__(Meter.REQUESTS, 2),
        lambda counts: counts.__delitem__(Meter.REQUESTS),
        lambda counts: counts.update({Meter.REQUESTS: 2}),
        lambda counts: counts.__ior__({Meter.REQUESTS: 2}),
        lambda counts: counts.setdefault(Meter.INPUT_TOKENS, 2),
        lambda counts: counts.pop(Meter.REQUESTS),
        lambda counts: counts.popitem(),
        lambda counts: counts.clear(),
    ],
    ids=["set", "del", "update", "ior", "setdefault", "pop", "popitem", "clear"],
)
def test_quantities_stay_as_they_were_made(change: Callable[[Quantities], object]) -> None:
    counts = Quantities({Meter.REQUESTS: 1})
    with pytest.raises(TypeError, match="stay as they were made"):
        change(counts)
    assert counts == {Meter.REQUESTS: 1}


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda q: pickle.loads(pickle.dumps(q))]
)
def test_quantities_can_be_copied_and_pickled(
    copied: Callable[[Quantities], Quantities],
) -> None:
    counts = Quantities({Meter.REQUESTS: 1, Meter.INPUT_TOKENS: 7})
    assert copied(counts) == counts
    assert type(copied(counts)) is Quantities
