"""A recording is bytes; what is heard says how long it was."""

from datetime import timedelta

import pytest

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.transcripts import Transcript, TranscriptionRequest


@pytest.mark.parametrize(
    "audio",
    [None, "RIFF", 5, [0, 1], bytearray(b"RIFF"), pytest.param(memoryview(b"RIFF"), id="view")],
    ids=str,
)
def test_a_recording_is_bytes(audio: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        TranscriptionRequest("en-us", audio)
    assert refused.value.code == "invalid_audio"


def test_an_empty_recording_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        TranscriptionRequest("en-us", b"")
    assert refused.value.code == "empty_audio"


def test_a_recording_does_not_fill_the_logs() -> None:
    assert "RIFF" not in repr(TranscriptionRequest("en-us", b"RIFF" * 1000))


def test_an_honest_silence_is_an_empty_text() -> None:
    silence = Transcript("", duration=timedelta(seconds=3), billed=timedelta(seconds=3))
    assert (silence.text, silence.quality, silence.receipt) == ("", "standard", None)
