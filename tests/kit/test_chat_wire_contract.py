"""The suite of wire formats finds the faults that chat models over HTTP have."""

import pytest

from tests.kit import broken_wire_calls as calls
from tests.kit import broken_wire_cancellations as cancellations
from tests.kit import broken_wire_models as models
from tests.kit.run_contract import run_contract
from tests.kit.sound_wire_model import Sound
from tollkeeper.contracts.chat_wire import ChatWireContract

CONTRACT = "tollkeeper.contracts.chat_wire:ChatWireContract"
FIXTURES = """
import pytest
from tests.adapters.wire_contract_cases import WireUpstream, all_servers
from {module} import {model}

@pytest.fixture(scope="module")
def servers():
    with all_servers() as servers:
        yield servers

@pytest.fixture
def upstream(servers):
    return WireUpstream(servers({model}.format), {model}.format)

@pytest.fixture
def connect(upstream):
    def connect(*, api_key, base_url=None, patience=None):
        where = base_url or upstream.base_url
        return {model}(where, api_key, provider=upstream.provider, patience=patience)

    return connect
"""

CAUGHT_BY: dict[type[Sound], list[str]] = {
    models.WesternAlone: [
        "test_every_script_comes_through_unchanged_both_ways",
        "test_a_text_is_whole_however_the_bytes_come",
        "test_a_compressed_answer_is_read",
    ],
    models.EndsAtDone: ["test_text_that_looks_like_the_format_stays_text"],
    models.ReadsLittle: ["test_an_answer_of_ten_megabytes_is_read"],
    models.NamesWhatWasAsked: ["test_the_model_that_answered_is_named"],
    models.AlwaysStops: [
        "test_an_answer_that_reaches_its_bound_says_so",
        "test_each_reason_is_told_as_the_format_has_it",
        "test_a_refusal_is_no_answer_that_stopped",
        "test_a_reason_that_nobody_knows_is_not_taken_for_a_stop",
    ],
    models.SaysWhoCharges: ["test_what_the_use_cases_add_is_left_to_them"],
    models.ThinksAloud: ["test_reasoning_is_told_apart_from_the_text"],
    models.LosesProbabilities: [
        "test_probabilities_are_given_where_the_format_has_them",
        "test_a_stream_adds_up_to_the_whole_answer",
    ],
    models.LosesFragments: ["test_arguments_in_single_characters_are_joined"],
    models.OneCallForAll: [
        "test_parallel_calls_are_told_apart_and_keep_their_order",
        "test_a_streamed_call_says_once_what_it_is",
    ],
    models.SameIds: ["test_the_same_tool_may_be_called_twice"],
    models.CallsWithoutAWord: ["test_text_before_a_call_is_kept"],
    models.ForgetsSignatures: ["test_a_call_goes_back_with_its_signature"],
    models.ChoosesItself: [
        "test_the_choice_of_tools_is_kept",
        "test_one_call_at_a_time_is_kept_or_refused",
    ],
    models.CountsTwice: [
        "test_usage_is_told_in_pools_of_which_none_holds_another",
        "test_a_whole_answer_and_a_streamed_one_count_the_same",
        "test_the_usage_of_a_call_of_a_tool_is_told",
        "test_the_usage_of_an_answer_that_was_stopped_is_told",
    ],
    models.MakesUsageUp: ["test_usage_that_is_not_reported_is_not_made_up"],
    models.ZeroIsNothing: ["test_usage_of_zero_is_a_report"],
    models.RepeatsUsage: [
        "test_usage_comes_once_and_last",
        "test_usage_that_is_reported_all_along_is_told_once",
    ],
    models.ForgetsTheSystem: ["test_a_conversation_goes_out_in_its_order"],
    models.ForgetsWhatIsExtra: [
        "test_what_is_extra_is_passed_on",
        "test_the_bound_goes_out_with_every_request",
        "test_a_stop_ends_the_text",
    ],
    models.ForgetsTheForm: [
        "test_a_schema_is_sent_and_answered",
        "test_json_is_answered_or_refused",
    ],
    models.ForgetsThoughts: ["test_thoughts_that_bear_a_signature_go_back_unchanged"],
    models.DropsInSilence: [
        "test_what_the_model_does_not_take_is_refused_before_anything_is_sent",
        "test_what_the_model_does_not_take_is_dropped_with_a_warning_if_wanted",
        "test_a_fixed_value_is_taken_and_not_sent",
    ],
    models.ChangesTheRequest: ["test_a_request_is_left_as_it_was"],
    models.ForgetsToolsAndImages: [
        "test_a_tool_is_called",
        "test_what_changes_the_question_is_never_dropped",
        "test_an_image_is_sent_as_it_is",
        "test_an_images_address_is_passed_on_or_refused_and_never_fetched",
    ],
    models.ForgetsResults: [
        "test_what_a_tool_says_goes_back_to_the_model",
        "test_calls_that_another_provider_made_are_understood",
    ],
    models.ForgetsQuirks: [
        "test_the_headers_of_a_model_go_out",
        "test_a_temperature_goes_out_only_where_it_is_set",
    ],
    calls.AsksWhole: [
        "test_each_piece_of_text_is_a_delta_of_its_own",
        "test_nothing_is_sent_before_a_stream_is_read",
        "test_an_event_that_is_no_json_is_corrupt",
    ],
    calls.EndsTwice: ["test_a_stream_has_one_reason_and_nothing_is_said_after_it"],
    calls.KeepsEverything: ["test_a_long_stream_is_not_kept_in_memory"],
    calls.LetsNoneGo: ["test_leaving_the_loop_over_a_stream_and_closing_it_lets_the_provider_go"],
    calls.SwallowsCancellation: [
        "test_cancelling_before_the_head_closes_the_connection_to_the_provider",
        "test_cancelling_a_whole_answer_on_its_way_closes_the_connection",
    ],
    calls.Forgiving: [
        "test_an_answer_without_a_reason_is_not_whole",
        "test_a_clean_end_before_the_terminal_event_is_an_error_wherever_it_is",
        "test_a_stream_that_breaks_is_an_error_wherever_it_breaks",
        "test_a_call_that_breaks_off_is_never_taken_for_whole",
        "test_a_whole_answer_that_breaks_off_is_an_error",
        "test_a_whole_answer_that_is_no_json_is_corrupt",
        "test_bytes_that_are_no_utf8_are_corrupt",
        "test_a_web_page_is_no_answer",
        "test_what_says_gzip_and_is_none_is_corrupt",
        "test_a_redirect_is_not_followed",
        "test_an_empty_body_is_corrupt",
        "test_json_of_another_shape_is_corrupt",
    ],
    calls.LosesWhatCame: [
        "test_an_error_inside_a_stream_keeps_what_came",
        "test_a_stream_that_stalls_anywhere_is_given_up_and_keeps_what_came",
    ],
    calls.CertainOfItself: [
        "test_a_connection_that_breaks_before_the_head_is_an_ambiguous_failure"
    ],
    calls.Patient: [
        "test_a_server_that_says_nothing_is_given_up_in_time",
        "test_a_whole_answer_that_stalls_is_given_up_in_time",
    ],
    calls.Hasty: [
        "test_a_head_that_comes_late_but_in_time_is_waited_for",
        "test_a_steady_stream_may_last_longer_than_its_idle_timeout",
    ],
    calls.TriesAgain: ["test_the_model_answers_again_after_each_fault"],
    calls.RaisesAnything: [
        "test_an_error_in_a_body_that_says_200_is_known",
        "test_a_stream_that_failed_stays_at_its_end",
        "test_an_error_can_be_sent_to_another_process",
    ],
    calls.SaysDownForAll: [
        "test_each_documented_status_is_its_error",
        "test_only_errors_that_may_pass_are_retryable",
        "test_a_request_that_is_too_large_is_rejected",
        "test_a_status_that_nobody_documents_is_a_refusal",
        "test_the_page_of_a_gateway_says_that_the_provider_is_down",
        "test_an_error_without_the_providers_body_is_known_by_its_status",
    ],
    calls.TakesDebtForHaste: [
        "test_a_context_window_that_is_full_is_known",
        "test_content_that_the_policy_refuses_is_known",
        "test_a_model_that_is_unknown_is_not_found",
        "test_an_account_without_credit_is_told_apart_from_a_limited_one",
        "test_a_key_that_is_refused_is_known",
        "test_a_refused_credential_is_not_replaced_by_the_adapters_own",
    ],
    calls.NeverSaysWhen: ["test_how_long_to_wait_is_kept"],
    calls.WaitsForNoReason: ["test_a_wait_that_makes_no_sense_is_no_wait"],
    calls.RepeatsTheProvider: [
        "test_a_provider_that_is_overloaded_is_unavailable",
        "test_an_error_that_comes_first_in_a_stream_is_known",
        "test_a_refused_connection_is_a_failure_that_cost_nothing",
    ],
    calls.ShowsItsKey: ["test_no_representation_shows_a_key"],
    cancellations.KeepsItsKeyAtHand: [
        "test_a_cancelled_call_shows_no_key",
        "test_a_call_that_its_caller_gives_up_shows_no_key",
        "test_a_call_shows_no_key_at_whichever_step_it_is_cancelled",
        "test_a_call_that_is_cancelled_while_it_is_sent_shows_no_key",
    ],
    cancellations.SaysGoodbyeWithItsKey: [
        "test_a_cancelled_call_shows_no_key",
        "test_a_call_that_its_caller_gives_up_shows_no_key",
    ],
    calls.SaysAnotherPlace: ["test_the_adapter_says_where_its_keys_belong"],
    calls.DeafToCredentials: [
        "test_a_calls_own_credential_is_sent_for_this_call_alone",
        "test_an_adapter_without_a_key_takes_the_calls",
        "test_fifty_calls_at_once_get_their_own_answers_with_their_own_keys",
    ],
    calls.SendsAnyKey: ["test_a_credential_of_another_place_is_never_sent"],
    calls.AsksTheEnvironment: [
        "test_the_environment_is_neither_read_nor_written",
        "test_a_missing_key_is_not_replaced_by_one_of_the_environment",
    ],
    calls.ClosesForAll: ["test_closing_one_adapter_leaves_the_other_open"],
    calls.SharesItsRequest: ["test_two_adapters_side_by_side_share_nothing"],
}


def fixtures(model: type[Sound]) -> str:
    return FIXTURES.format(module=model.__module__, model=model.__name__)


@pytest.mark.parametrize("model", CAUGHT_BY, ids=lambda model: model.__name__)
def test_a_broken_chat_model_is_found(model: type[Sound]) -> None:
    results = run_contract(CONTRACT, fixtures(model), only=CAUGHT_BY[model])
    assert results == dict.fromkeys(CAUGHT_BY[model], "failed")


def test_a_chat_model_without_a_fault_passes() -> None:
    every_fault = {name for names in CAUGHT_BY.values() for name in names}
    results = run_contract(CONTRACT, fixtures(Sound), only=every_fault)
    assert results == dict.fromkeys(every_fault, "passed")


def test_each_theme_of_the_suite_finds_a_fault() -> None:
    every_fault = {name for names in CAUGHT_BY.values() for name in names}
    for theme in ChatWireContract.__bases__:
        tests = {name for name in vars(theme) if name.startswith("test_")}
        assert tests & every_fault, f"{theme.__name__} is not tried"
