"""The plan store's suite finds the faults that plan stores have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.plan_store:PlanStoreContract"
FIXTURES = """
import pytest
from tests.kit.broken_databases import *
from tests.kit.broken_stores import *
from tollkeeper.adapters.memory.audit_log import MemoryAuditLog
from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.adapters.memory.plan_store import MemoryPlanStore

@pytest.fixture
def database():
    return {database}()

@pytest.fixture
def plan_store(database):
    return {fault}(database)

@pytest.fixture
def audit_log(database):
    return MemoryAuditLog(database)
"""

CAUGHT_BY = {
    "PlanAuditForgotten": ["test_plan_is_replaced_by_one_of_its_name"],
    "SubscriptionAuditForgotten": ["test_plan_is_replaced_by_one_of_its_name"],
    "SubscriptionAuditedFirst": ["test_unknown_plan_is_not_subscribed_to"],
    "AnyPlanWillDo": ["test_unknown_plan_is_not_subscribed_to"],
    "FirstPlanStays": ["test_plan_is_replaced_by_one_of_its_name"],
    "FirstSubscriptionStays": ["test_account_has_one_subscription"],
    "PlansForEver": ["test_plan_holds_while_the_subscription_runs"],
    "LastMomentIncluded": ["test_plan_holds_while_the_subscription_runs"],
    "PlansOfEveryone": [
        "test_account_without_subscription_has_no_plan",
        "test_accounts_do_not_share_subscriptions",
    ],
    "PlansInAnyOrder": ["test_plans_come_by_name"],
    "LimitsForgotten": ["test_plan_comes_back_as_given"],
    "RacyPlanAudit": ["test_concurrent_changes_leave_one_plan"],
    "TornPlan": ["test_cancelled_change_is_whole"],
    "OutagesOfPlansForgotten": ["test_what_a_limit_does_on_an_outage_comes_back"],
    "FirstOutageStays": ["test_what_a_limit_does_on_an_outage_comes_back"],
}
CAUGHT_IN_THE_LOG = {
    "TurnsIgnored": ["test_change_out_of_turn_is_refused_whole"],
    "TurnsSeenTooLate": ["test_change_out_of_turn_is_refused_whole"],
    "PlacesForgotten": ["test_change_in_turn_is_kept_with_its_place"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault, database="MemoryDatabase")
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


@pytest.mark.parametrize("database", CAUGHT_IN_THE_LOG)
def test_suite_catches_a_faulty_log(database: str) -> None:
    expected = CAUGHT_IN_THE_LOG[database]
    fixtures = FIXTURES.format(fault="MemoryPlanStore", database=database)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_plan_store() -> None:
    fixtures = FIXTURES.format(fault="MemoryPlanStore", database="MemoryDatabase")
    assert failed_tests(CONTRACT, fixtures) == set()
