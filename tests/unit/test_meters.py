"""Every token belongs to one pool."""

from tollkeeper.domain.meters import INPUT_POOLS, OUTPUT_POOLS, Meter


def test_the_families_of_pools_do_not_overlap() -> None:
    assert not set(INPUT_POOLS) & set(OUTPUT_POOLS)
    tokens = {meter for meter in Meter if meter.endswith("_tokens")}
    assert tokens == {*INPUT_POOLS, *OUTPUT_POOLS}


def test_a_meter_is_written_as_it_is_stored() -> None:
    for meter in Meter:
        assert Meter(str(meter)) is meter
