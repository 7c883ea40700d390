"""The suite of ciphers finds the faults that they have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract
from tollkeeper.contracts.cipher import CipherContract

CONTRACT = "tollkeeper.contracts.cipher:CipherContract"
FIXTURES = """
import pytest
from tests.kit.broken_ciphers import *

@pytest.fixture
def cipher():
    return {fault}()
"""
FLIPPED = "test_every_bit_that_is_flipped_is_noticed"
CUT = "test_every_cut_and_every_addition_is_noticed"
ODD = "test_what_is_no_bytes_is_refused_alike"
SAME = "test_one_text_never_gives_the_same_body"

CAUGHT_BY = {
    "NoKnownAlgorithm": ["test_the_algorithm_is_one_that_a_sealed_value_names"],
    "OneNonce": [SAME],
    "ChangesNonces": ["test_a_text_comes_back_as_it_was"],
    "Padded": ["test_a_text_comes_back_as_it_was", FLIPPED],
    "NoData": ["test_other_associated_data_is_noticed"],
    "ReturnsTheInput": [FLIPPED, CUT, ODD],
    "LetsErrorsThrough": [ODD],
    "TakesAnything": ["test_what_cannot_be_encrypted_is_refused"],
    "KeyAnew": ["test_another_instance_reads_it"],
    "OneKey": ["test_another_key_is_noticed"],
    "Plain": ["test_the_text_cannot_be_read_in_the_body"],
    "CutsKeys": ["test_a_key_is_32_bytes"],
    "CommitsToAnyKey": ["test_a_key_is_32_bytes"],
    "CommitsToHalf": ["test_a_commitment_tells_one_key_from_every_other"],
    "CommitsWithTheKey": ["test_a_commitment_holds_nothing_of_the_key"],
    "ShowsKeys": ["test_nothing_shows_a_key_or_a_text"],
    "HoldsTexts": ["test_nothing_shows_a_key_or_a_text"],
    "NotForThreads": ["test_threads_may_share_one"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_cipher() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="CryptographyCipher")) == set()


def test_each_test_of_the_suite_catches_something() -> None:
    caught = {name for names in CAUGHT_BY.values() for name in names}
    tests = {name for name in dir(CipherContract) if name.startswith("test_")}
    assert tests - caught == {"test_contract_is_whole"}
