"""The ledger's suite finds the faults that ledgers have."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.kit import broken_hold_ends as ends
from tests.kit import broken_ledgers as broken
from tests.kit.run_contract import failed_tests, run_contract
from tollkeeper.adapters.memory.ledger import MemoryLedger
from tollkeeper.contracts.ledger_machine import ledger_machine

CONTRACT = "tollkeeper.contracts.ledger:LedgerContract"
FIXTURES = """
import pytest
from tests.kit.broken_hold_ends import *
from tests.kit.broken_ledgers import *
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.ledger import MemoryLedger
from tollkeeper.adapters.memory.usage_log import MemoryUsageLog

@pytest.fixture
def database():
    return MemoryDatabase()

@pytest.fixture
def ledger(database):
    return {ledger}(database)

@pytest.fixture
def usage_log(database):
    return MemoryUsageLog(database)
"""

CAUGHT_BY: dict[type[MemoryLedger], list[str]] = {
    broken.RacyPlacing: [
        "test_concurrent_holds_never_overdraw",
        "test_concurrent_calls_spend_exactly_the_credit",
        "test_concurrent_holds_with_one_key_make_one_hold",
    ],
    ends.RacyCapture: [
        "test_concurrent_captures_make_one_entry",
        "test_one_of_two_concurrent_amounts_is_captured",
        "test_capture_and_release_never_both_happen",
    ],
    broken.RacyGrant: [
        "test_concurrent_grants_with_one_key_make_one_entry",
        "test_one_of_two_concurrent_grants_keeps_the_key",
    ],
    broken.ForgetfulGrants: ["test_replayed_grant_returns_the_first_entry"],
    broken.ForgetfulHolds: ["test_replayed_hold_is_the_first_one"],
    broken.TrustingReplays: [
        "test_grant_key_is_not_used_for_anything_else",
        "test_hold_key_is_not_used_for_anything_else",
        "test_captured_hold_is_captured_for_nothing_else",
    ],
    broken.StaleReplays: ["test_replayed_hold_is_shown_as_it_stands_now"],
    broken.EagerKeys: ["test_key_of_a_refused_hold_stays_free"],
    broken.SharedKeys: [
        "test_accounts_do_not_share_grants_or_keys",
        "test_accounts_do_not_share_holds_or_keys",
    ],
    broken.OneKeySpace: ["test_grants_and_holds_have_keys_of_their_own"],
    broken.CurrencyBlind: ["test_credit_of_one_currency_backs_no_other"],
    broken.SwallowedErrors: [
        "test_hold_beyond_the_credit_is_refused",
        "test_hold_id_belongs_to_one_key",
        "test_captured_hold_is_not_released",
        "test_unknown_hold_is_not_released",
    ],
    broken.Saturating: ["test_balance_beyond_64_bits_is_refused"],
    broken.FloatingPoint: ["test_largest_balance_is_kept_exactly"],
    broken.PlainText: [
        "test_texts_of_a_grant_come_back_as_given",
        "test_texts_of_a_hold_come_back_as_given",
    ],
    broken.PagesOffByOne: ["test_entries_come_in_pages"],
    ends.CaptureForgetsUsage: ["test_usage_is_logged_with_the_capture"],
    ends.UsageLoggedFirst: [
        "test_unknown_hold_is_not_captured",
        "test_released_hold_is_not_captured",
        "test_malformed_capture_changes_nothing",
    ],
    ends.UsageChargedTwice: ["test_event_is_charged_once_only"],
    ends.AnyonesUsage: ["test_malformed_capture_changes_nothing"],
    ends.CaptureNoMoreThanHeld: [
        "test_capture_beyond_the_hold_is_taken_whole",
        "test_capture_beyond_the_credit_makes_a_debt",
    ],
    ends.LateCaptureRefused: ["test_late_capture_is_taken_all_the_same"],
    ends.LateCaptureFreesTwice: ["test_late_capture_is_taken_all_the_same"],
    ends.ReleaseForgetsHold: ["test_release_gives_everything_back"],
    ends.ReleaseFreesTwice: [
        "test_second_release_changes_nothing",
        "test_concurrent_releases_and_expiries_give_back_once",
    ],
    ends.ExpiryTooLate: ["test_hold_expires_when_its_time_is_up"],
    ends.ExpiryOfEveryone: ["test_expiry_of_one_account_leaves_others_alone"],
    ends.ExpiryInAnyOrder: ["test_oldest_expiry_goes_first"],
    ends.ExpiryBeyondLimit: ["test_limit_leaves_the_rest_held"],
    broken.PlacingForgetsOverdue: [
        "test_placing_frees_overdue_holds_first",
        "test_concurrent_holds_free_an_overdue_one_once",
    ],
    ends.ReplayKeepsOverdue: [
        "test_replay_of_an_overdue_hold_finds_it_expired",
        "test_replay_frees_other_overdue_holds_too",
    ],
    ends.ReplayForgetsHeld: ["test_replay_of_an_overdue_hold_finds_it_expired"],
    ends.AttemptsAreArguments: [
        "test_capture_with_other_attempts_is_a_replay",
        "test_release_with_attempts_is_as_one_without",
    ],
    ends.AttemptsAreCharged: ["test_capture_with_attempts_is_as_one_without"],
    ends.AttemptsKeepTheHold: ["test_release_with_attempts_is_as_one_without"],
    ends.AnyonesAttempts: ["test_attempts_of_another_account_change_nothing"],
    ends.TornCapture: ["test_cancelled_capture_is_whole"],
    broken.TornPlacing: ["test_cancelled_hold_is_whole"],
    broken.SharedFailure: ["test_cancelled_callers_leave_the_others_alone"],
    broken.BalanceLags: ["test_grant_adds_credit"],
}
CAUGHT_BY_MACHINE: list[type[MemoryLedger]] = [
    broken.ForgetfulGrants,
    broken.ForgetfulHolds,
    broken.TrustingReplays,
    broken.SharedKeys,
    broken.CurrencyBlind,
    ends.CaptureNoMoreThanHeld,
    ends.LateCaptureRefused,
    ends.ReleaseForgetsHold,
    ends.ReleaseFreesTwice,
    broken.PlacingForgetsOverdue,
    ends.ReplayKeepsOverdue,
]


@pytest.mark.parametrize("ledger", CAUGHT_BY, ids=lambda ledger: ledger.__name__)
def test_suite_catches(ledger: type[MemoryLedger]) -> None:
    expected = CAUGHT_BY[ledger]
    fixtures = FIXTURES.format(ledger=ledger.__name__)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_ledger() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(ledger="MemoryLedger")) == set()


def test_no_broken_ledger_is_forgotten() -> None:
    found = {
        each
        for module in (broken, ends)
        for each in vars(module).values()
        if isinstance(each, type) and each.__module__ == module.__name__
    }
    assert found == set(CAUGHT_BY)


@pytest.mark.parametrize("ledger", CAUGHT_BY_MACHINE, ids=lambda ledger: ledger.__name__)
def test_state_machine_catches(ledger: type[MemoryLedger]) -> None:
    @asynccontextmanager
    async def open_ledger() -> AsyncIterator[MemoryLedger]:
        yield ledger()

    machine = ledger_machine(open_ledger)
    # The first failure will do; nobody reads it, so it need not be made short.
    quickly = settings(
        machine.TestCase.settings, phases=[Phase.generate], database=None, derandomize=True
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=quickly)
