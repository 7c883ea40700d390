"""The embedders' suite finds the faults that embedders have."""

import pytest

from tests.kit import broken_embedders as broken
from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.embedder:EmbedderContract"
FIXTURES = """
from datetime import timedelta
import pytest
from tests.kit.broken_embedders import *

class Fixtures:
    @pytest.fixture
    async def embedder(self):
        return {embedder}()

    @pytest.fixture
    async def another_embedder(self):
        return {embedder}()

    @pytest.fixture
    def model(self):
        return "exact"

    @pytest.fixture
    def patience(self):
        return timedelta(seconds={patience})
"""

CAUGHT_BY: dict[type[broken.Exact], list[str]] = {
    broken.NotANumber: ["test_each_text_has_one_vector_of_finite_numbers"],
    broken.AsLongAsTheText: ["test_all_vectors_have_one_length"],
    broken.Sorts: ["test_vectors_come_in_the_order_of_the_texts"],
    broken.CountsAsText: ["test_many_texts_come_back_in_order"],
    broken.MixesItsBatch: ["test_a_batch_equals_its_texts_one_by_one"],
    broken.Fickle: ["test_the_same_text_has_the_same_vector"],
    broken.Indifferent: ["test_different_texts_have_different_vectors"],
    broken.DeafToDimensions: ["test_dimensions_are_honoured_or_refused"],
    broken.AsciiAlone: ["test_every_script_can_be_embedded"],
    broken.SkipsTheLong: ["test_a_long_text_is_embedded_or_refused"],
    broken.KnowsEveryModel: ["test_an_unknown_model_is_refused"],
    broken.CountsNothing: ["test_usage_is_a_count_above_zero_or_none"],
    broken.SaysWhoCounted: ["test_what_the_use_case_adds_is_left_to_it"],
    broken.SharesItsPlace: ["test_concurrent_calls_get_their_own_vectors"],
    broken.SwallowsCancellation: [
        "test_a_cancelled_call_ends_at_once_and_leaves_the_embedder_usable"
    ],
    broken.KeepsItsPlace: ["test_a_cancelled_call_ends_at_once_and_leaves_the_embedder_usable"],
    broken.SharedByAll: ["test_two_instances_share_nothing"],
    broken.ChangesTheRequest: ["test_the_request_is_left_as_it_was"],
}
HANGING = (broken.KeepsItsPlace,)


def fixtures(embedder: type[broken.Exact]) -> str:
    patience = 0.2 if embedder in HANGING else 20
    return FIXTURES.format(embedder=embedder.__name__, patience=patience)


@pytest.mark.parametrize("embedder", CAUGHT_BY, ids=lambda embedder: embedder.__name__)
def test_a_broken_embedder_is_found(embedder: type[broken.Exact]) -> None:
    assert failed_tests(CONTRACT, fixtures(embedder)) >= set(CAUGHT_BY[embedder])


def test_an_embedder_without_a_fault_passes() -> None:
    results = run_contract(CONTRACT, fixtures(broken.Exact))
    assert set(results.values()) == {"passed"}
    every_fault = {name for names in CAUGHT_BY.values() for name in names}
    assert every_fault == results.keys() - {"test_contract_is_whole"}, "each test finds a fault"
