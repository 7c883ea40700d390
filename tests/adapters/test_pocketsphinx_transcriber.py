"""The pocketsphinx transcriber keeps its contract with the real decoder and a real voice."""

import asyncio
import os
import signal
import subprocess
import sys
from array import array
from collections.abc import Coroutine
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.word_error_rate import word_error_rate
from tollkeeper.adapters.pocketsphinx.transcriber import PocketsphinxTranscriber
from tollkeeper.contracts.transcriber import (
    RATE,
    TranscriberContract,
    a_wav,
    mains_hum,
    white_noise,
)
from tollkeeper.domain.errors import ConfigurationError, InvalidRequest, Unavailable
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.transcripts import Transcript, TranscriptionRequest
from tollkeeper.infra.samples import recording, recording_text

MODEL = "en-us"


class TestPocketsphinxTranscriber(TranscriberContract):
    @pytest.fixture
    def transcriber(self) -> PocketsphinxTranscriber:
        return PocketsphinxTranscriber.from_url("pocketsphinx://", api_key=None)

    @pytest.fixture
    def model(self) -> str:
        return MODEL


def heard(audio: bytes) -> Coroutine[Any, Any, Transcript]:
    return PocketsphinxTranscriber().transcribe(TranscriptionRequest(MODEL, audio))


def samples_of(audio: bytes) -> "array[int]":
    return array("h", audio[44:])


@pytest.mark.anyio
async def test_the_shipped_recording_is_understood() -> None:
    transcript = await heard(recording())
    # 0.0 when it was measured; over the five clips that it was chosen from, 0.27 of 71 words.
    assert word_error_rate(recording_text(), transcript.text) <= 0.125
    assert transcript.duration == timedelta(seconds=52_640 / 16_000)
    assert transcript.billed == transcript.duration
    assert (transcript.language, transcript.quality, transcript.model) == ("en", "low", MODEL)


@pytest.mark.anyio
async def test_what_holds_no_words_is_not_billed() -> None:
    transcript = await heard(a_wav(white_noise(3000)))
    assert (transcript.text, transcript.billed) == ("", timedelta(0))
    assert transcript.duration == timedelta(seconds=2)


@pytest.mark.anyio
async def test_hum_that_comes_and_goes_holds_no_words() -> None:
    hum = mains_hum(9000, seconds=4)
    bursts = array("h", (value if n // 4000 % 2 else 0 for n, value in enumerate(hum)))
    assert (await heard(a_wav(bursts))).text == ""


@pytest.mark.anyio
async def test_speech_between_silence_and_noise_is_found() -> None:
    silence = array("h", bytes(2 * RATE * 3))
    noise = white_noise(2000, seconds=3)
    voice = samples_of(recording())
    transcript = await heard(a_wav(silence + voice + silence + noise + silence + voice + silence))
    twice = f"{recording_text()} {recording_text()}"
    assert word_error_rate(twice, transcript.text) <= 0.25
    assert transcript.billed == transcript.duration > timedelta(seconds=21)


@pytest.mark.anyio
async def test_a_faint_voice_is_heard() -> None:
    faint = array("h", (value // 8 for value in samples_of(recording())))
    assert word_error_rate(recording_text(), (await heard(a_wav(faint))).text) <= 0.25


@pytest.mark.anyio
async def test_a_monologue_is_cut_into_parts_and_heard_whole() -> None:
    monologue = array("h")
    for _ in range(7):
        monologue += samples_of(recording())
    transcript = await heard(a_wav(monologue))
    assert transcript.duration == timedelta(seconds=7 * 3.29)
    said = " ".join([recording_text()] * 7)
    assert word_error_rate(said, transcript.text) <= 0.25


@pytest.mark.anyio
async def test_a_recording_that_is_too_long_is_refused() -> None:
    transcriber = PocketsphinxTranscriber(longest=timedelta(seconds=2))
    just = TranscriptionRequest(MODEL, a_wav(white_noise(1, seconds=2)))
    over = TranscriptionRequest(MODEL, a_wav(white_noise(1, seconds=2.001)))
    assert await transcriber.measure(just) == timedelta(seconds=2)
    for ask in (transcriber.measure, transcriber.transcribe):
        with pytest.raises(InvalidRequest, match="send it in parts") as caught:
            await ask(over)
        assert caught.value.code == "too_long"


@pytest.mark.anyio
async def test_ten_minutes_are_the_most_and_are_measured_at_once() -> None:
    ten = a_wav(array("h", bytes(2 * 600 * RATE)))
    request = TranscriptionRequest(MODEL, ten)
    assert await PocketsphinxTranscriber().measure(request) == timedelta(minutes=10)
    more = TranscriptionRequest(MODEL, a_wav(array("h", bytes(2 * 600 * RATE + 32))))
    with pytest.raises(InvalidRequest):
        await PocketsphinxTranscriber().measure(more)


def decoders() -> list[int]:
    """Find the decoding processes that this process has begun and that still live."""
    found = []
    for thread in Path("/proc/self/task").iterdir():
        # Threads and processes may end while we look.
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [
                int(child)
                for child in (thread / "children").read_text().split()
                if b"pocketsphinx.decoding" in Path(f"/proc/{child}/cmdline").read_bytes()
            ]
    return found


async def until(count: int) -> list[int]:
    """Wait until so many decoders are there."""
    async with asyncio.timeout(10):
        while len(decoders()) != count:
            await asyncio.sleep(0.005)
    return decoders()


@pytest.mark.anyio
async def test_a_caller_who_leaves_ends_the_work() -> None:
    task = asyncio.ensure_future(heard(recording()))
    await until(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(0)


@pytest.mark.anyio
async def test_a_decoder_that_dies_is_an_outage_and_the_next_call_works() -> None:
    task = asyncio.ensure_future(heard(recording()))
    (decoder,) = await until(1)
    os.kill(decoder, signal.SIGSEGV)
    with pytest.raises(Unavailable) as caught:
        await task
    assert (caught.value.port, caught.value.adapter) == ("transcriber", "pocketsphinx")
    assert "ended with -11" in str(caught.value.__cause__)
    assert (await heard(recording())).text


@pytest.mark.anyio
async def test_no_more_decoders_work_at_once_than_agreed_and_all_hear_the_same() -> None:
    transcriber = PocketsphinxTranscriber(most_at_once=2)
    request = TranscriptionRequest(MODEL, recording())
    tasks = [asyncio.ensure_future(transcriber.transcribe(request)) for _ in range(3)]
    most = 0
    while not all(task.done() for task in tasks):
        most = max(most, len(decoders()))
        await asyncio.sleep(0.05)
    assert most == 2
    assert len({task.result().text for task in tasks}) == 1


@pytest.mark.anyio
async def test_callers_who_leave_the_queue_let_the_others_through() -> None:
    transcriber = PocketsphinxTranscriber(most_at_once=1)
    request = TranscriptionRequest(MODEL, recording())
    tasks = [asyncio.ensure_future(transcriber.transcribe(request)) for _ in range(4)]
    await until(1)
    for task in tasks[:3]:
        task.cancel()
    assert (await tasks[3]).text
    await until(0)


@pytest.mark.anyio
async def test_health_loads_the_model_and_tells_the_version() -> None:
    assert (await PocketsphinxTranscriber().health()).startswith("pocketsphinx 5.")


MISSING = """
import asyncio, sys
sys.modules["pocketsphinx"] = None  # as if it were not installed
from tollkeeper.adapters.pocketsphinx.transcriber import PocketsphinxTranscriber
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.transcripts import TranscriptionRequest
from tollkeeper.infra.samples import recording

async def main():
    transcriber = PocketsphinxTranscriber()
    request = TranscriptionRequest("en-us", recording())
    print(await transcriber.measure(request))
    for work in (transcriber.health(), transcriber.transcribe(request)):
        try:
            await work
        except ConfigurationError as error:
            print(error.code, error)

asyncio.run(main())
"""


def test_without_the_package_the_message_names_what_to_install() -> None:
    run = subprocess.run(
        [sys.executable, "-c", MISSING], capture_output=True, text=True, check=True
    )
    remedy = (
        "extra_missing pocketsphinx is not installed; run: pip install 'tollkeeper[pocketsphinx]'"
    )
    assert run.stdout.splitlines() == ["0:00:03.290000", remedy, remedy]


def test_the_package_is_not_loaded_into_this_process() -> None:
    code = """
import asyncio, sys
from tollkeeper.adapters.pocketsphinx.transcriber import PocketsphinxTranscriber
asyncio.run(PocketsphinxTranscriber().health())
print("pocketsphinx" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("url", "api_key"),
    [
        ("pocketsphinx://en-us", None),
        ("pocketsphinx:///model", None),
        ("pocketsphinx://?x=1", None),
        ("vosk://", None),
        ("pocketsphinx://", Secret("key")),
    ],
)
def test_settings_that_mean_nothing_are_refused(url: str, api_key: Secret | None) -> None:
    with pytest.raises(ConfigurationError, match="pocketsphinx takes no"):
        PocketsphinxTranscriber.from_url(url, api_key=api_key)
