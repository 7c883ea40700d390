"""The chat models' suite finds the faults that chat models have."""

import pytest

from tests.kit import broken_chat_models as broken
from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.chat_model:ChatModelContract"
FIXTURES = """
from datetime import timedelta
import pytest
from tests.kit.broken_chat_models import *

class Fixtures:
    @pytest.fixture
    async def chat_model(self):
        return {model}()

    @pytest.fixture
    async def another_chat_model(self):
        return {model}()

    @pytest.fixture
    def model(self):
        return "obedient"

    @pytest.fixture
    def patience(self):
        return timedelta(seconds={patience})
"""

CAUGHT_BY: dict[type[broken.Obedient], list[str]] = {
    broken.Endless: [
        "test_an_answer_says_something_and_why_it_ended",
        "test_a_stream_ends_with_one_finish_reason_and_then_the_usage",
    ],
    broken.EndsTwice: ["test_a_stream_ends_with_one_finish_reason_and_then_the_usage"],
    broken.EarlyUsage: ["test_a_stream_ends_with_one_finish_reason_and_then_the_usage"],
    broken.TotalsAsPools: ["test_usage_is_counted_in_pools_that_fit_the_call"],
    broken.Talkative: ["test_no_more_is_written_than_max_tokens"],
    broken.Silent: [
        "test_an_answer_says_something_and_why_it_ended",
        "test_a_conversation_with_a_system_message_is_answered",
    ],
    broken.LosesPieces: ["test_a_tool_is_called_and_its_result_answered"],
    broken.CountsFromOne: ["test_a_tool_is_called_and_its_result_answered"],
    broken.Prosaic: ["test_an_answer_in_json_is_json"],
    broken.KnowsEveryModel: ["test_an_unknown_model_is_refused"],
    broken.RaisesAnything: ["test_an_unknown_model_is_refused"],
    broken.SwallowsCancellation: ["test_a_cancelled_call_ends_at_once_and_leaves_the_model_usable"],
    broken.KeepsItsPlace: [
        "test_a_closed_stream_leaves_the_model_usable",
        "test_a_cancelled_call_ends_at_once_and_leaves_the_model_usable",
    ],
    broken.TimesTheWholeStream: ["test_a_stream_may_be_read_from_several_tasks"],
    broken.SharesItsAnswer: ["test_concurrent_calls_get_their_own_answers"],
    broken.SharedByAll: [
        "test_two_instances_share_nothing",
        "test_concurrent_calls_get_their_own_answers",
    ],
    broken.CannotBeClosed: ["test_a_closed_stream_leaves_the_model_usable"],
    broken.ChangesTheRequest: ["test_the_request_is_left_as_it_was"],
    broken.DeafToSystem: ["test_a_conversation_with_a_system_message_is_answered"],
}


HANGING = (broken.KeepsItsPlace,)


def fixtures(model: type[broken.Obedient]) -> str:
    return FIXTURES.format(model=model.__name__, patience=0.2 if model in HANGING else 20)


@pytest.mark.parametrize("model", CAUGHT_BY, ids=lambda model: model.__name__)
def test_a_broken_chat_model_is_found(model: type[broken.Obedient]) -> None:
    failed = failed_tests(CONTRACT, fixtures(model))
    assert failed >= set(CAUGHT_BY[model])


def test_a_chat_model_without_a_fault_passes() -> None:
    results = run_contract(CONTRACT, fixtures(broken.Obedient))
    assert set(results.values()) == {"passed"}
    every_fault = {name for names in CAUGHT_BY.values() for name in names}
    assert every_fault == results.keys() - {"test_contract_is_whole"}, "each test finds a fault"
