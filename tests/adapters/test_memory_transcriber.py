"""The memory transcriber keeps the contract and says what it was told to say."""

from datetime import timedelta

import pytest

from tollkeeper.adapters.memory.transcriber import MemoryTranscriber
from tollkeeper.contracts.transcriber import TranscriberContract, a_wav, white_noise
from tollkeeper.domain.errors import Unavailable
from tollkeeper.domain.transcripts import TranscriptionRequest
from tollkeeper.infra.samples import recording, recording_text


class TestMemoryTranscriber(TranscriberContract):
    @pytest.fixture
    def transcriber(self) -> MemoryTranscriber:
        return MemoryTranscriber({recording(): recording_text()})

    @pytest.fixture
    def model(self) -> str:
        return "scripted"


@pytest.mark.anyio
async def test_it_says_what_the_script_says_and_bills_words_alone() -> None:
    noise, speech = a_wav(white_noise(9)), recording()
    transcriber = MemoryTranscriber({speech: "hello"}, model="mine")
    spoken = await transcriber.transcribe(TranscriptionRequest("mine", speech))
    assert (spoken.text, spoken.billed) == ("hello", timedelta(seconds=3.29))
    silent = await transcriber.transcribe(TranscriptionRequest("mine", noise))
    assert (silent.text, silent.billed) == ("", timedelta(0))
    assert silent.duration == timedelta(seconds=2)


@pytest.mark.anyio
async def test_it_raises_what_the_script_says() -> None:
    error = Unavailable("down", port="transcriber", adapter="memory")
    transcriber = MemoryTranscriber({recording(): error})
    request = TranscriptionRequest("scripted", recording())
    assert await transcriber.measure(request) == timedelta(seconds=3.29)
    with pytest.raises(Unavailable) as caught:
        await transcriber.transcribe(request)
    assert caught.value is error
