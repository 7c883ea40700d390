"""The transcriber's suite finds the faults that transcribers have."""

import pytest

from tests.kit.run_contract import failed_tests, run_contract

CONTRACT = "tollkeeper.contracts.transcriber:TranscriberContract"
FIXTURES = """
import pytest
from tests.kit.broken_transcribers import *

@pytest.fixture
def transcriber():
    return {fault}()

@pytest.fixture
def model():
    return "scripted"
"""
HEARD = "test_speech_is_heard_and_billed"
WORDLESS = "test_silence_and_noise_hold_no_words"
LENGTH = "test_length_is_told_without_transcribing"
BROKEN = "test_a_header_that_is_cut_is_broken"
CUT = "test_a_recording_that_is_cut_is_told_from_a_whole_one"
EMPTY = "test_a_recording_without_samples_is_refused"

CAUGHT_BY = {
    "Deaf": [HEARD],
    "HearsVoices": [WORDLESS],
    "HearsVoicesInSilenceAlone": [WORDLESS],
    "BillsNothing": [HEARD],
    "BillsTooMuch": [HEARD],
    "RoundsUpToSeconds": [LENGTH],
    "TrustsTheHeader": ["test_length_counts_samples_and_not_what_the_header_claims"],
    "TranscribesToMeasure": [LENGTH],
    "TakesAnything": ["test_what_is_no_recording_is_refused"],
    "GuessesAtBrokenHeaders": [BROKEN],
    "TakesHalves": [CUT],
    "TakesEmptiness": [EMPTY],
    "OneCodeForAll": [BROKEN, CUT, EMPTY],
    "AnyModel": ["test_an_unknown_model_is_not_found"],
    "BlocksTheLoop": ["test_others_go_on_while_it_works"],
    "SharesItsWork": ["test_callers_at_once_get_their_own_words"],
    "Stubborn": ["test_a_caller_may_leave_at_any_moment"],
    "LeavesItsLock": ["test_a_caller_may_leave_at_any_moment"],
}


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_suite_catches(fault: str) -> None:
    expected = CAUGHT_BY[fault]
    fixtures = FIXTURES.format(fault=fault)
    assert run_contract(CONTRACT, fixtures, only=expected) == dict.fromkeys(expected, "failed")


def test_suite_passes_a_sound_transcriber() -> None:
    assert failed_tests(CONTRACT, FIXTURES.format(fault="SoundTranscriber")) == set()
