"""The contract of :class:`tollkeeper.ports.transcriber.Transcriber`."""

import asyncio
import math
import random
import struct
import time
from array import array
from datetime import timedelta

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.errors import DomainError, InvalidRequest, NotFound, Unsupported
from tollkeeper.domain.transcripts import TranscriptionRequest
from tollkeeper.infra.samples import recording
from tollkeeper.ports.transcriber import Transcriber

RATE = 16_000


def a_wav(samples: "array[int]") -> bytes:
    """Make a WAV file of 16-bit samples: 16 kHz, mono, PCM."""
    data = samples.tobytes()
    header = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    body = b"WAVE" + header + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def white_noise(level: float, *, seconds: float = 2.0) -> "array[int]":
    """Make noise whose samples deviate by *level*; the same each time."""
    chance = random.Random(7)
    values = (chance.gauss(0, level) for _ in range(int(RATE * seconds)))
    return array("h", (max(-32768, min(32767, round(value))) for value in values))


def mains_hum(level: float, *, seconds: float = 2.0) -> "array[int]":
    """Make a hum of 50 Hz with its overtones."""
    turns = (2 * math.pi * 50 * n / RATE for n in range(int(RATE * seconds)))
    return array("h", (round(level * sum(math.sin(k * t) / k for k in (1, 2, 3))) for t in turns))


def clicks(level: int, *, seconds: float = 2.0) -> "array[int]":
    """Make short clicks at uneven times."""
    chance = random.Random(7)
    samples = array("h", bytes(2 * int(RATE * seconds)))
    for _ in range(int(10 * seconds)):
        at = chance.randrange(len(samples) - 4)
        for offset, height in enumerate((1.0, -0.7, 0.5, -0.3)):
            samples[at + offset] = round(level * height)
    return samples


WORDLESS = {
    "silence": array("h", bytes(2 * 2 * RATE)),
    "one sample": array("h", [1]),
    "faint noise": white_noise(3),
    "noise": white_noise(300),
    "loud noise": white_noise(3000),
    "deafening noise": white_noise(12_000),
    "hum": mains_hum(800),
    "loud hum": mains_hum(12_000),
    "clicks": clicks(20_000),
}


class TranscriberContract(Contract):
    """What every transcriber promises that takes 16 kHz mono WAV files.

    Fixtures: ``transcriber`` and ``model``, the name of a model it serves. ``speech`` is the
    recording that ships with Tollkeeper; replace it for one that the adapter knows.
    """

    @pytest.fixture
    def speech(self) -> bytes:
        """Return a WAV file with a few seconds of speech."""
        return recording()

    async def test_speech_is_heard_and_billed(
        self, transcriber: Transcriber, model: str, speech: bytes
    ) -> None:
        request = TranscriptionRequest(model=model, audio=speech)
        transcript = await transcriber.transcribe(request)
        assert transcript.text == transcript.text.strip() != ""
        assert timedelta(0) < transcript.billed <= transcript.duration + timedelta(minutes=1)
        assert transcript.duration == await transcriber.measure(request) > timedelta(0)
        assert transcript.quality in {"standard", "low"}
        assert transcript.model
        assert transcript.receipt is None

    @pytest.mark.parametrize("kind", WORDLESS)
    async def test_silence_and_noise_hold_no_words(
        self, transcriber: Transcriber, model: str, kind: str
    ) -> None:
        samples = WORDLESS[kind]
        transcript = await transcriber.transcribe(TranscriptionRequest(model, a_wav(samples)))
        assert transcript.text == ""
        exact = len(samples) / RATE
        assert abs(transcript.duration.total_seconds() - exact) < 0.001

    @pytest.mark.parametrize("seconds", [0.1, 1.0, 12.345])
    async def test_length_is_told_without_transcribing(
        self, transcriber: Transcriber, model: str, seconds: float
    ) -> None:
        audio = a_wav(white_noise(1000, seconds=seconds))
        started = time.perf_counter()
        length = await transcriber.measure(TranscriptionRequest(model, audio))
        assert time.perf_counter() - started < max(0.25, seconds / 10)
        assert abs(length.total_seconds() - seconds) < 0.001

    async def test_length_counts_samples_and_not_what_the_header_claims(
        self, transcriber: Transcriber, model: str
    ) -> None:
        lying = bytearray(a_wav(white_noise(300, seconds=2)))
        struct.pack_into("<I", lying, 28, 1)  # bytes a second
        request = TranscriptionRequest(model, bytes(lying))
        assert await transcriber.measure(request) == timedelta(seconds=2)
        assert (await transcriber.transcribe(request)).duration == timedelta(seconds=2)

    @pytest.mark.parametrize(
        "audio",
        [b"hello, this is a text file named .wav\n" * 100, b"%PDF-1.7 ...", bytes(1000), b"x"],
        ids=["text", "pdf", "zeros", "one byte"],
    )
    async def test_what_is_no_recording_is_refused(
        self, transcriber: Transcriber, model: str, audio: bytes
    ) -> None:
        await self._refused(transcriber, TranscriptionRequest(model, audio), Unsupported)

    @pytest.mark.parametrize("left", [8, 20, 30, 40], ids=str)
    async def test_a_header_that_is_cut_is_broken(
        self, transcriber: Transcriber, model: str, speech: bytes, left: int
    ) -> None:
        request = TranscriptionRequest(model, speech[:left])
        error = await self._refused(transcriber, request, InvalidRequest)
        assert error.code == "corrupt_audio"

    @pytest.mark.parametrize("missing", [1, 2, 1000, 50_000], ids=str)
    async def test_a_recording_that_is_cut_is_told_from_a_whole_one(
        self, transcriber: Transcriber, model: str, speech: bytes, missing: int
    ) -> None:
        request = TranscriptionRequest(model, speech[:-missing])
        error = await self._refused(transcriber, request, InvalidRequest)
        assert error.code == "truncated_audio"

    async def test_a_recording_without_samples_is_refused(
        self, transcriber: Transcriber, model: str
    ) -> None:
        request = TranscriptionRequest(model, a_wav(array("h")))
        error = await self._refused(transcriber, request, InvalidRequest)
        assert error.code == "empty_audio"

    async def test_an_unknown_model_is_not_found(
        self, transcriber: Transcriber, speech: bytes
    ) -> None:
        await self._refused(transcriber, TranscriptionRequest("no-such-model", speech), NotFound)

    async def _refused(
        self, transcriber: Transcriber, request: TranscriptionRequest, kind: type[DomainError]
    ) -> DomainError:
        with pytest.raises(kind) as measured:
            await transcriber.measure(request)
        with pytest.raises(kind) as transcribed:
            await transcriber.transcribe(request)
        assert measured.value.code == transcribed.value.code
        assert transcribed.value.public_message
        return transcribed.value

    async def test_callers_at_once_get_their_own_words(
        self, transcriber: Transcriber, model: str, speech: bytes
    ) -> None:
        silent = TranscriptionRequest(model, a_wav(WORDLESS["silence"]))
        spoken = TranscriptionRequest(model, speech)
        turns = [silent, spoken, silent, spoken]
        transcripts = await asyncio.gather(*map(transcriber.transcribe, turns))
        assert [bool(t.text) for t in transcripts] == [False, True, False, True]
        assert [t.duration for t in transcripts[::2]] == [timedelta(seconds=2)] * 2
        assert [t.duration for t in transcripts[1::2]] == [await transcriber.measure(spoken)] * 2

    async def test_a_caller_may_leave_at_any_moment(
        self, transcriber: Transcriber, model: str, speech: bytes
    ) -> None:
        request = TranscriptionRequest(model, speech)
        for wait in (0, 0, 0.01, 0.1):
            task = asyncio.ensure_future(transcriber.transcribe(request))
            await asyncio.sleep(wait)
            task.cancel()
            started = time.perf_counter()
            await asyncio.wait([task])
            assert time.perf_counter() - started < 1
        assert (await transcriber.transcribe(request)).text

    async def test_others_go_on_while_it_works(
        self, transcriber: Transcriber, model: str, speech: bytes
    ) -> None:
        task = asyncio.ensure_future(transcriber.transcribe(TranscriptionRequest(model, speech)))
        longest, last = 0.0, (started := time.perf_counter())
        while not task.done():
            await asyncio.sleep(0.001)
            longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
        assert (await task).text
        # A machine that does much else stalls everybody: hence the share.
        assert longest < max(0.25, (last - started) / 3)
