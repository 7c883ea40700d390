"""A short recording of a human voice, and what is said in it; see ``LICENSE.md``."""

from importlib.resources import files


def recording() -> bytes:
    """Return 3.29 seconds of English as a WAV file with 16 kHz, mono, 16-bit PCM."""
    return files(__name__).joinpath("amiable.wav").read_bytes()


def recording_text() -> str:
    """Return the words of :func:`recording`, in lower case, with no punctuation."""
    return files(__name__).joinpath("amiable.txt").read_text(encoding="utf-8").strip()
