"""What is said in a recording."""

from datetime import timedelta

from attrs import field, frozen

from tollkeeper.domain.completions import Receipt
from tollkeeper.domain.errors import InvalidRequest


@frozen
class TranscriptionRequest:
    """A whole recording as *audio* bytes, for the provider's *model*."""

    model: str
    audio: bytes = field(repr=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.audio, bytes):
            raise InvalidRequest("audio must be the bytes of a recording", code="invalid_audio")
        if not self.audio:
            raise InvalidRequest("the recording is empty", code="empty_audio")


@frozen
class Transcript:
    """The words of a recording.

    *duration* is counted from the decoded samples, never from what a header claims. *billed* is
    how much of it the provider takes money for. *quality* is ``low`` where the engine is fit for
    tests and rough search alone. An empty *text* means that no speech was recognised.
    """

    text: str
    duration: timedelta
    billed: timedelta
    language: str = ""
    quality: str = "standard"
    model: str = ""
    receipt: Receipt | None = None
