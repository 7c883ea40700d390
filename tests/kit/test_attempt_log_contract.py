"""The attempt log's suite finds the faults that attempt logs have, and ledgers beside them."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract
from tollkeeper.contracts.attempt_log import AttemptLogContract

CONTRACT = "tollkeeper.contracts.attempt_log:AttemptLogContract"
FIXTURES = """
import pytest
from tests.kit.broken_attempt_logs import *
from tests.kit.broken_hold_ends import AnyonesAttempts
from tollkeeper.adapters.memory.attempt_log import MemoryAttemptLog
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.ledger import MemoryLedger

@pytest.fixture
def database():
    return MemoryDatabase()

@pytest.fixture
def attempt_log(database):
    return {attempt_log}(database)

@pytest.fixture
def ledger(database):
    return {ledger}(database)
"""

LOG_CAUGHT_BY = {
    "EverythingAnswered": ["test_attempt_comes_back_as_given"],
    "UnknownAccountRefused": ["test_log_of_an_account_never_named_is_empty"],
    "AttemptsByArrival": ["test_attempts_come_in_order_of_their_start"],
    "AttemptPagesByTimeAlone": ["test_attempts_come_in_pages"],
    "AttemptPagesOffByOne": ["test_attempts_come_in_pages"],
    "UnknownAttemptIsTheFirst": ["test_unknown_page_is_not_there"],
    "CallsIgnored": ["test_attempts_of_one_call_come_alone", "test_attempts_come_in_pages"],
    "AttemptsUntilIncluded": ["test_attempts_come_from_since_until_before_until"],
    "AttemptsSinceLeftOut": ["test_attempts_come_from_since_until_before_until"],
    "CallsOfEveryone": ["test_accounts_do_not_see_one_another"],
    "AppendsAgain": [
        "test_attempt_is_recorded_once",
        "test_concurrent_records_keep_an_attempt_once",
    ],
    "LastTellingWins": ["test_attempt_never_changes"],
    "RacyAttempts": ["test_one_of_many_concurrent_tellings_is_kept"],
    "TornAttempts": ["test_cancelled_record_is_whole"],
}
LEDGER_CAUGHT_BY = {
    "EndsForgetAttempts": [
        "test_attempts_are_logged_with_the_capture",
        "test_attempts_are_logged_with_the_release",
    ],
    "EndsReplaceAttempts": [
        "test_replayed_capture_adds_nothing",
        "test_replayed_release_adds_nothing",
    ],
    "DeafToReplays": [
        "test_attempt_that_a_replay_brings_is_not_lost",
        "test_attempts_of_an_expired_hold_are_logged",
    ],
    "KnownAttemptIsAConflict": ["test_attempt_that_was_recorded_before_is_passed_over"],
    "AnyonesAttempts": ["test_attempts_of_another_account_log_nothing"],
    "AttemptsLoggedFirst": [
        "test_attempts_of_another_account_log_nothing",
        "test_refused_ends_of_a_hold_log_nothing",
        "test_capture_that_loses_a_race_logs_nothing",
    ],
    "RacyEnds": ["test_concurrent_captures_log_an_attempt_once"],
    "TornEnds": ["test_cancelled_capture_and_its_attempts_are_whole"],
}


@pytest.mark.parametrize("fault", LOG_CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = LOG_CAUGHT_BY[fault]
    fixtures = FIXTURES.format(attempt_log=fault, ledger="MemoryLedger")
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


@pytest.mark.parametrize("fault", LEDGER_CAUGHT_BY)
def test_suite_catches_ledgers(fault: str) -> None:
    expected = LEDGER_CAUGHT_BY[fault]
    fixtures = FIXTURES.format(attempt_log="MemoryAttemptLog", ledger=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_attempt_log() -> None:
    fixtures = FIXTURES.format(attempt_log="MemoryAttemptLog", ledger="MemoryLedger")
    assert failed_tests(CONTRACT, fixtures) == set()


def test_each_test_of_the_suite_catches_something() -> None:
    caught = {
        name for names in [*LOG_CAUGHT_BY.values(), *LEDGER_CAUGHT_BY.values()] for name in names
    }
    tests = {name for name in dir(AttemptLogContract) if name.startswith("test_")}
    assert tests - caught == {"test_contract_is_whole"}
