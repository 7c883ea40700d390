"""Every token belongs to one pool."""

from attrs import fields

from tollkeeper.domain.completions import TokenUsage
from tollkeeper.domain.meters import INPUT_POOLS, OUTPUT_POOLS, Meter


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
    quantities = usage.quantities()
    assert quantities.pop(Meter.REQUESTS) == 1
    assert quantities.keys() == {*INPUT_POOLS, *OUTPUT_POOLS}
    assert sorted(quantities.values()) == sorted(counts.values())
    assert usage.total == sum(counts.values())
    assert quantities[Meter.CACHE_WRITE_1H_TOKENS] == counts["cache_write_1h"]
