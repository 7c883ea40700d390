"""The suite of verifiers of users' tokens finds the faults that they have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract
from tollkeeper.contracts.token_verifier import TokenVerifierContract

CONTRACT = "tollkeeper.contracts.token_verifier:TokenVerifierContract"
FIXTURES = """
import pytest
from tests.kit.broken_token_verifiers import *
from tests.servers.jwks_server import signed

@pytest.fixture
def token_verifier(clock):
    return verifier_of({fault}, clock)

@pytest.fixture
def issue():
    def issue(claims, fault):
        algorithm = {{"unsigned": "none", "another_algorithm": "HS512"}}.get(fault, "HS256")
        key = b"another" * 8 if fault.endswith("_key") else SHARED.encode()
        return signed(claims, algorithm, key, {{"kid": "first"}})
    return issue
"""
FORGED = "test_a_forged_token_is_refused"
FOREIGN = "test_claims_that_are_not_for_us_are_refused"
EXPIRED = "test_an_expired_token_is_called_so"
GOOD = "test_a_good_token_tells_its_claims"
MISSING = "test_a_claim_that_is_missing_is_refused"
EDITED = "test_no_edit_of_a_token_passes"
HIDDEN = "test_nothing_shows_a_token"

CAUGHT_BY = {
    "TrustsAnyone": [FORGED, EDITED],
    "TakesUnsigned": [FORGED],
    "TakesAnyAlgorithm": [FORGED],
    "LetsTheLibrarySpeak": ["test_what_is_no_token_is_refused"],
    "SaysWhy": [FORGED],
    "StripsTokens": [EDITED],
    "AnyIssuer": [FOREIGN, MISSING],
    "AnyAudience": [FOREIGN, MISSING],
    "ForEverValid": [EXPIRED, MISSING],
    "ValidBefore": ["test_a_token_of_the_future_is_called_so"],
    "ItsOwnClock": [GOOD],
    "RemembersTokens": [EXPIRED],
    "TimeBeforeSignature": ["test_only_a_genuine_token_is_told_of_its_time"],
    "LongLeeway": [EXPIRED],
    "OneAudienceAlone": [GOOD],
    "WantsTheTimeOfIssue": ["test_one_audience_and_no_time_of_issue_will_do"],
    "TakesText": ["test_only_a_secret_is_a_token"],
    "ShowsTokens": [HIDDEN],
    "ShowsClaims": [HIDDEN],
    "OneAtATime": ["test_callers_at_once_get_each_their_own"],
    "LockedForEver": ["test_a_caller_who_gives_up_leaves_the_verifier_to_others"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_verifier() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="PyjwtTokenVerifier")) == set()


def test_each_test_of_the_suite_catches_something() -> None:
    caught = {name for names in CAUGHT_BY.values() for name in names}
    tests = {name for name in dir(TokenVerifierContract) if name.startswith("test_")}
    assert tests - caught == {"test_contract_is_whole"}
