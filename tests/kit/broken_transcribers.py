"""Transcribers, each with one fault."""

import asyncio
import struct
import time
from datetime import timedelta

from attrs import evolve

from tollkeeper.adapters.memory.transcriber import MemoryTranscriber
from tollkeeper.domain.errors import DomainError, InvalidRequest, NotFound, Unsupported
from tollkeeper.domain.transcripts import Transcript, TranscriptionRequest
from tollkeeper.infra.samples import recording, recording_text


class SoundTranscriber(MemoryTranscriber):
    def __init__(self) -> None:
        super().__init__({recording(): recording_text()})


class Deaf(SoundTranscriber):
    async def transcribe(self, request: TranscriptionRequest) -> Transcript:
        return evolve(await super().transcribe(request), text="", billed=timedelta(0))


class HearsVoices(SoundTranscriber):
    async def transcribe(self, request: TranscriptionRequest) -> Transcript:
        transcript = await super().transcribe(request)
        return evolve(transcript, text=transcript.text or "i'm")


class HearsVoicesInSilenceAlone(SoundTranscriber):
    async def transcribe(self, request: TranscriptionRequest) -> Transcript:
        transcript = await super().transcribe(request)
        return transcript if any(request.audio[44:]) else evolve(transcript, text="i'm")


class BillsNothing(SoundTranscriber):
    async def transcribe(self, request: TranscriptionRequest) -> Transcript:
        return evolve(await super().transcribe(request), billed=timedelta(0))


class BillsTooMuch(SoundTranscriber):
    async def transcribe(self, request: TranscriptionRequest) -> Transcript:
        return evolve(await super().transcribe(request), billed=timedelta(hours=1))


class RoundsUpToSeconds(SoundTranscriber):
    async def measure(self, request: TranscriptionRequest) -> timedelta:
        return timedelta(seconds=-(-await super().measure(request) // timedelta(seconds=1)))


class TrustsTheHeader(SoundTranscriber):
    async def measure(self, request: TranscriptionRequest) -> timedelta:
        await super().measure(request)
        per_second, size = struct.unpack_from("<I8xI", request.audio, 28)
        return timedelta(seconds=size / per_second)


class TranscribesToMeasure(SoundTranscriber):
    async def measure(self, request: TranscriptionRequest) -> timedelta:
        length = await super().measure(request)
        await asyncio.sleep(0.3 + length.total_seconds() / 4)
        return length


class TakesAnything(SoundTranscriber):
    async def measure(self, request: TranscriptionRequest) -> timedelta:
        try:
            return await super().measure(request)
        except Unsupported:
            return timedelta(seconds=1)


class GuessesAtBrokenHeaders(SoundTranscriber):
    async def measure(self, request: TranscriptionRequest) -> timedelta:
        try:
            return await super().measure(request)
        except InvalidRequest as error:
            if error.code != "corrupt_audio":
                raise
            return timedelta(0)


class TakesHalves(SoundTranscriber):
    async def measure(self, request: TranscriptionRequest) -> timedelta:
        try:
            return await super().measure(request)
        except InvalidRequest as error:
            if error.code != "truncated_audio":
                raise
            return timedelta(seconds=len(request.audio) / 32_000)


class TakesEmptiness(SoundTranscriber):
    async def measure(self, request: TranscriptionRequest) -> timedelta:
        try:
            return await super().measure(request)
        except InvalidRequest as error:
            if error.code != "empty_audio":
                raise
            return timedelta(0)


class OneCodeForAll(SoundTranscriber):
    async def measure(self, request: TranscriptionRequest) -> timedelta:
        try:
            return await super().measure(request)
        except DomainError as error:
            raise type(error)("no", code="bad_audio") from error


class AnyModel(SoundTranscriber):
    async def measure(self, request: TranscriptionRequest) -> timedelta:
        try:
            return await super().measure(request)
        except NotFound:
            return await super().measure(evolve(request, model="scripted"))


class BlocksTheLoop(SoundTranscriber):
    async def transcribe(self, request: TranscriptionRequest) -> Transcript:
        time.sleep(0.3)  # noqa: ASYNC251 - this is the fault
        return await super().transcribe(request)


class SharesItsWork(SoundTranscriber):
    """Hands one caller's words to all who ask at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self._last = b""

    async def transcribe(self, request: TranscriptionRequest) -> Transcript:
        self._last = request.audio
        await asyncio.sleep(0.01)
        return await super().transcribe(evolve(request, audio=self._last))


class Stubborn(SoundTranscriber):
    """Finishes what it began, whoever leaves."""

    async def transcribe(self, request: TranscriptionRequest) -> Transcript:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            await asyncio.sleep(1.2)
            raise
        return await super().transcribe(request)


class LeavesItsLock(SoundTranscriber):
    def __init__(self) -> None:
        super().__init__()
        self._decoder = asyncio.Lock()

    async def transcribe(self, request: TranscriptionRequest) -> Transcript:
        async with asyncio.timeout(0.5):
            await self._decoder.acquire()
        await asyncio.sleep(0)
        transcript = await super().transcribe(request)
        self._decoder.release()
        return transcript
