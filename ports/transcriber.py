"""Something that writes down what is said."""

from datetime import timedelta
from typing import Protocol, runtime_checkable

from tollkeeper.domain.transcripts import Transcript, TranscriptionRequest


@runtime_checkable
class Transcriber(Protocol):
    """One provider's speech recognition; ``request.model`` names the model.

    Both methods raise Unsupported for a format that the adapter does not take, InvalidRequest
    for a recording that is broken (``corrupt_audio``) or shorter than it claims
    (``truncated_audio``), and PortError when the provider fails.
    """

    async def measure(self, request: TranscriptionRequest) -> timedelta:
        """Say how long the recording is, without transcribing it: the hold rests on this."""

    async def transcribe(self, request: TranscriptionRequest) -> Transcript:
        """Write down what is said; silence and noise give an empty text, never invented words."""
