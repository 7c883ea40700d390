"""The identifiers' suite finds the faults that makers of identifiers have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.identifiers:IdentifiersContract"
FIXTURES = """
import pytest
from tests.kit.broken_clocks import *

@pytest.fixture
def identifiers():
    return {fault}()

@pytest.fixture
def other_identifiers():
    return {fault}()
"""

CAUGHT_BY = {
    "FewIdentifiers": ["test_none_is_made_twice"],
    "OwnCount": ["test_no_two_instances_make_the_same", "test_random_bytes_are_never_the_same"],
    "RacyCount": ["test_no_two_threads_get_the_same"],
    "LongIdentifiers": ["test_an_identifier_names_its_kind"],
    "DashedIdentifiers": ["test_an_identifier_names_its_kind"],
    "NamelessIdentifiers": ["test_an_identifier_names_its_kind"],
    "AnyKind": ["test_a_malformed_kind_is_refused"],
    "TooFewBytes": ["test_as_many_random_bytes_come_as_asked"],
    "BytesAgain": ["test_random_bytes_are_never_the_same"],
    "HexBytes": ["test_random_bytes_take_every_value"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_sound_identifiers() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="SystemIdentifiers")) == set()
