"""The suite of verifiers of reports finds the faults that they have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract
from tollkeeper.contracts.report_verifier import ReportVerifierContract

CONTRACT = "tollkeeper.contracts.report_verifier:ReportVerifierContract"
FIXTURES = """
import pytest
from tests.kit.broken_report_verifiers import *

@pytest.fixture
def report_verifier():
    return {fault}()

@pytest.fixture(name="sign")
def _sign():
    return remembering_sign if "{fault}" == "SignedOnceIsSignedForEver" else sign
"""
ODD = "test_whatever_is_no_signature_or_key_id_is_refused"
SAME = "test_one_answer_for_all_that_is_not_authentic"
HIDDEN = "test_no_refusal_shows_the_token_that_was_reported"
CAUGHT_BY = {
    "TakesAnything": ["test_a_body_that_was_changed_is_refused", ODD, SAME],
    "TakesNothing": ["test_what_is_signed_is_authentic_as_often_as_it_is_sent"],
    "TakesItOnce": ["test_what_is_signed_is_authentic_as_often_as_it_is_sent"],
    "SignedOnceIsSignedForEver": ["test_a_body_that_was_changed_is_refused", HIDDEN],
    "LooksAtTheBeginning": ["test_a_signature_that_was_changed_is_refused"],
    "ForgivesKeyIds": ["test_a_key_of_another_name_is_refused"],
    "LetsTheDecoderSpeak": [ODD],
    "LetsTheHashSpeak": ["test_a_body_that_is_no_bytes_is_refused"],
    "TellsWhatIsWrong": [SAME],
    "KeepsTheBody": [HIDDEN],
    "SharesItsState": ["test_many_at_once_get_each_their_own_answer"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_verifier() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="SoundVerifier")) == set()


def test_each_test_of_the_suite_catches_something() -> None:
    caught = {name for names in CAUGHT_BY.values() for name in names}
    tests = {name for name in dir(ReportVerifierContract) if name.startswith("test_")}
    assert tests - caught == {"test_contract_is_whole"}
