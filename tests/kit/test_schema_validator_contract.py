"""The suite of schema validators finds the faults that they have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract
from tollkeeper.contracts.schema_validator import SchemaValidatorContract

CONTRACT = "tollkeeper.contracts.schema_validator:SchemaValidatorContract"
FIXTURES = """
import pytest
from tests.kit.broken_schema_validators import *

@pytest.fixture
def schema_validator():
    return {fault}()
"""
CAUGHT_BY = {
    "FindsNothing": [
        "test_a_document_that_does_not_fit_has_one",
        "test_a_schema_may_refer_to_itself",
    ],
    "FindsAlways": ["test_a_document_that_fits_has_no_fault"],
    "TellsTheDocument": ["test_a_fault_names_the_place_and_nothing_of_the_document"],
    "TakesAnySchema": [
        "test_what_is_no_schema_is_refused",
        "test_a_schema_that_refers_elsewhere_is_refused_and_nothing_is_fetched",
    ],
    "ChangesTheSchema": ["test_any_mapping_is_a_schema_and_is_left_as_it_was"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_a_broken_validator_is_found(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_a_sound_validator_passes() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="MemorySchemaValidator")) == set()


def test_each_test_of_the_suite_finds_something() -> None:
    caught = {name for names in CAUGHT_BY.values() for name in names}
    tests = {name for name in dir(SchemaValidatorContract) if name.startswith("test_")}
    assert tests - caught == {"test_contract_is_whole"}
