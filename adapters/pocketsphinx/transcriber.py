"""Transcribes with pocketsphinx: no network, no key, and a quality fit for tests alone."""

import importlib.metadata
import importlib.util
from datetime import timedelta
from typing import Self

import anyio
from anyio import to_thread

from tollkeeper.adapters.pocketsphinx.process import DecodingFailed, DecodingProcess
from tollkeeper.adapters.pocketsphinx.wav import Wav, read_wav
from tollkeeper.domain.errors import ConfigurationError, InvalidRequest, NotFound, Unavailable
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.transcripts import Transcript, TranscriptionRequest

MODEL = "en-us"
_LONGEST = timedelta(minutes=10)
_MOST_AT_ONCE = 2


class PocketsphinxTranscriber:
    """Takes English speech as WAV files with 16 kHz, mono, 16-bit PCM, up to *longest*.

    About every fourth word is wrong (27 % of 71 words of a LibriVox reader), hence the quality
    ``low``. A recording takes about a third of its length, and half a second to begin with; at
    most *most_at_once* are decoded at a time, each in a process of its own, since the decoder
    would stop this process's event loop for as long as it works.

    Silence, noise, hum and clicks give no words; whatever gives none is billed nothing. Music and
    sirens may be taken for speech.
    """

    def __init__(self, *, longest: timedelta = _LONGEST, most_at_once: int = _MOST_AT_ONCE) -> None:
        self._longest = longest
        self._limiter = anyio.CapacityLimiter(most_at_once)

    @classmethod
    def from_url(cls, url: str, *, api_key: Secret | None) -> Self:
        """Make one from ``pocketsphinx://``.

        Raises:
            ConfigurationError: *url* says anything more, or there is an *api_key*.
        """
        if url != "pocketsphinx://":
            raise ConfigurationError(
                "pocketsphinx takes no address and no options; write pocketsphinx://"
            )
        if api_key is not None:
            raise ConfigurationError("pocketsphinx takes no API key; leave it out")
        return cls()

    async def measure(self, request: TranscriptionRequest) -> timedelta:
        """Say how long the recording is.

        Raises:
            NotFound: there is no such model.
            Unsupported: the format is not taken.
            InvalidRequest: the recording is broken, cut, empty (``empty_audio``) or too long
                (``too_long``).
        """
        return self._read(request).duration

    async def transcribe(self, request: TranscriptionRequest) -> Transcript:
        """Write down what is said; a caller that leaves ends the work at once.

        Raises:
            NotFound: there is no such model.
            Unsupported: the format is not taken.
            InvalidRequest: the recording is broken, cut, empty or too long.
            ConfigurationError: pocketsphinx is not installed.
            Unavailable: the decoder failed.
        """
        wav = self._read(request)
        text = await self._decode(bytes(wav.pcm))
        return Transcript(
            text=text,
            duration=wav.duration,
            billed=wav.duration if text else timedelta(0),
            language="en",
            quality="low",
            model=MODEL,
        )

    async def health(self) -> str:
        """Load the model, and return the version of pocketsphinx.

        Raises:
            ConfigurationError: pocketsphinx is not installed.
            Unavailable: the model cannot be loaded.
        """
        await self._decode(b"")
        return f"pocketsphinx {importlib.metadata.version('pocketsphinx')}, model {MODEL}"

    def _read(self, request: TranscriptionRequest) -> Wav:
        if request.model != MODEL:
            raise NotFound(f"pocketsphinx has one model, called {MODEL}", code="model_not_found")
        wav = read_wav(request.audio)
        if wav.duration > self._longest:
            raise InvalidRequest(
                f"the recording is longer than {self._longest}; send it in parts", code="too_long"
            )
        return wav

    async def _decode(self, pcm: bytes) -> str:
        if importlib.util.find_spec("pocketsphinx") is None:
            raise ConfigurationError(
                "pocketsphinx is not installed; run: pip install 'tollkeeper[pocketsphinx]'",
                code="extra_missing",
            )
        process = DecodingProcess()
        try:
            return await to_thread.run_sync(
                process.run, pcm, limiter=self._limiter, abandon_on_cancel=True
            )
        except DecodingFailed as error:
            raise Unavailable(
                "the speech decoder failed; try again, or another recording",
                port="transcriber",
                adapter="pocketsphinx",
            ) from error
        finally:
            process.end()
