"""The suites of tables find the faults that tables have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

TABLES = "tollkeeper.contracts.tables:TablesContract"
FUNCTIONS = "tollkeeper.contracts.tables:FunctionsContract"
FIXTURES = """
import pytest
from tests.kit.broken_tables import *
from tollkeeper.contracts.tables_samples import TABLES

@pytest.fixture
def tables():
    return {fault}(TABLES)
"""
WITH_FUNCTIONS = """
import pytest
from tests.adapters.tables_functions import FUNCTIONS
from tests.kit.broken_tables import *
from tollkeeper.contracts.tables_samples import TABLES

@pytest.fixture
def tables():
    return {fault}(TABLES, functions=FUNCTIONS)
"""

CAUGHT_BY = {
    "DecimalsAsFloats": ["test_values_come_back_as_they_were"],
    "NoMicroseconds": ["test_values_come_back_as_they_were"],
    "TrimsTexts": [
        "test_values_come_back_as_they_were",
        "test_texts_are_sought_letter_by_letter",
    ],
    "TakesAnyValue": ["test_values_of_another_kind_are_refused"],
    "SharesWhatItKeeps": ["test_nobody_changes_what_is_kept_by_changing_what_they_have"],
    "TwoValuedLogic": ["test_conditions_mean_what_sql_means"],
    "NothingInAListMeansAll": ["test_conditions_mean_what_sql_means"],
    "WildCards": ["test_texts_are_sought_letter_by_letter"],
    "WritesValuesIntoStatements": ["test_values_never_become_part_of_a_statement"],
    "CutsLists": ["test_a_list_may_be_as_long_as_a_page"],
    "WholeTableWithoutAFilter": ["test_whole_tables_are_meant_only_where_that_is_said"],
    "NullsWhereTheyFall": [
        "test_pages_follow_the_order_with_nulls_where_they_are_asked_for",
        "test_several_columns_order_one_after_the_other",
    ],
    "CutsPages": ["test_the_largest_page_is_whole"],
    "CountsRows": [
        "test_rows_that_come_and_go_move_no_other_row",
        "test_a_cursor_outlives_the_row_it_was_made_at",
        "test_a_cursor_that_was_changed_is_refused",
    ],
    "TakesAnyCursor": [
        "test_a_cursor_that_was_changed_is_refused",
        "test_a_cursor_of_another_question_is_refused",
    ],
    "RowByRow": ["test_one_row_that_is_refused_keeps_all_out"],
    "AnswersInAnotherOrder": ["test_rows_come_back_whole_and_in_their_order"],
    "NamesTheValue": ["test_one_row_that_is_refused_keeps_all_out"],
    "UpsertForgetsTheRest": ["test_upsert_adds_or_changes_what_it_is_given"],
    "SaysThatAllWasDone": [
        "test_update_sets_what_is_meant_and_counts_it",
        "test_one_of_many_who_compare_and_set_succeeds",
    ],
    "LooksAndThenChanges": ["test_one_of_many_who_compare_and_set_succeeds"],
    "AddsTheSameTwice": ["test_one_of_many_who_add_the_same_succeeds"],
    "EmptyWhereNothingIs": ["test_what_the_database_lacks_is_named"],
    "DoesItLater": ["test_a_caller_who_leaves_leaves_all_or_nothing"],
}
OF_FUNCTIONS = {
    "CutsFunctions": ["test_too_many_rows_are_never_cut_off"],
    "TellsWhatTheFunctionSaid": ["test_its_own_errors_are_told_apart"],
    "FailsForUnknownFunctions": ["test_a_function_that_is_not_there_is_named"],
    "PassesAnyArguments": ["test_arguments_are_those_of_the_declaration"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(TABLES, fixtures, only=expected) == dict.fromkeys(expected, "failed")


@pytest.mark.parametrize("fault", OF_FUNCTIONS)
def test_suite_of_functions_catches(fault: str) -> None:
    expected = OF_FUNCTIONS[fault]
    fixtures = WITH_FUNCTIONS.format(fault=fault)
    assert run_contract(FUNCTIONS, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suites_pass_sound_tables() -> None:
    assert failed_tests(TABLES, FIXTURES.format(fault="MemoryTables")) == set()
    assert failed_tests(FUNCTIONS, WITH_FUNCTIONS.format(fault="MemoryTables")) == set()
