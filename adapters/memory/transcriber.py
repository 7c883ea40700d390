"""A transcriber that says what it was told to say."""

import io
import wave
from collections.abc import Mapping
from datetime import timedelta

from tollkeeper.domain.errors import InvalidRequest, NotFound, TollkeeperError, Unsupported
from tollkeeper.domain.transcripts import Transcript, TranscriptionRequest


class MemoryTranscriber:
    """Takes PCM WAV files; *said* gives the words of each recording, or what to raise for it.

    All other recordings hold no words; what holds none is billed nothing. For tests.
    """

    def __init__(
        self,
        said: Mapping[bytes, str | TollkeeperError] | None = None,
        *,
        model: str = "scripted",
    ) -> None:
        self._said = dict(said or {})
        self._model = model

    async def measure(self, request: TranscriptionRequest) -> timedelta:
        """Say how long the recording is."""
        if request.model != self._model:
            raise NotFound(f"there is one model, called {self._model}", code="model_not_found")
        return _length(request.audio)

    async def transcribe(self, request: TranscriptionRequest) -> Transcript:
        """Give the words that the script has for the recording."""
        duration = await self.measure(request)
        said = self._said.get(request.audio, "")
        if isinstance(said, TollkeeperError):
            raise said
        return Transcript(
            text=said,
            duration=duration,
            billed=duration if said else timedelta(0),
            model=self._model,
        )


def _length(audio: bytes) -> timedelta:
    if not audio.startswith(b"RIFF"):
        raise Unsupported("this is no WAV file; send one", code="unsupported_audio")
    try:
        with wave.open(io.BytesIO(audio)) as file:
            claimed = file.getnframes() * file.getnchannels() * file.getsampwidth()
            there = len(file.readframes(file.getnframes()))
            length = timedelta(microseconds=file.getnframes() * 1_000_000 // file.getframerate())
    except (wave.Error, EOFError) as error:
        if str(error).startswith("unknown format"):
            raise Unsupported("send a WAV file with PCM", code="unsupported_audio") from error
        raise InvalidRequest("the recording is broken", code="corrupt_audio") from error
    if there < claimed:
        raise InvalidRequest("the recording is cut; send it whole", code="truncated_audio")
    if not there:
        raise InvalidRequest("the recording holds no sound at all", code="empty_audio")
    return length
