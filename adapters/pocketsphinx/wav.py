"""Reads WAV files (RIFF): 16 kHz, mono, 16-bit PCM, and nothing else; pure."""

import struct
from datetime import timedelta
from typing import Final

from attrs import field, frozen

from tollkeeper.domain.errors import InvalidRequest, Unsupported

RATE: Final = 16_000
_SAMPLE: Final = 2
_ACCEPTED: Final = "send a WAV file with 16 kHz, mono, 16-bit PCM"
_PCM, _EXTENSIBLE = 0x0001, 0xFFFE
_PCM_SUBFORMAT: Final = bytes.fromhex("0100000000001000800000aa00389b71")
_CODECS: Final = {2: "ADPCM", 3: "floating point", 6: "A-law", 7: "u-law", 0x55: "MP3"}
# A recorder that writes to a pipe cannot go back to say how long it became. It leaves the size
# at nothing, or at the largest it can write, less a header.
_UNKNOWN_FROM: Final = 0x7FFF_F000
_OTHERS: Final = (
    (0, b"ID3", "MP3"),
    (0, b"\xff\xfb", "MP3"),
    (0, b"\xff\xf3", "MP3"),
    (0, b"\xff\xf1", "AAC"),
    (0, b"OggS", "Ogg"),
    (0, b"fLaC", "FLAC"),
    (4, b"ftyp", "MP4"),
    (0, b"\x1a\x45\xdf\xa3", "WebM"),
    (0, b"#!AMR", "AMR"),
    (0, b"FORM", "AIFF"),
    (0, b"RIFX", "big-endian WAV"),
    (0, b"RF64", "64-bit WAV"),
)


@frozen
class Wav:
    """The samples of a recording: signed, 16 bits, little-endian; never none at all."""

    pcm: memoryview = field(repr=False)

    @property
    def samples(self) -> int:
        """How many there are."""
        return len(self.pcm) // _SAMPLE

    @property
    def duration(self) -> timedelta:
        """How long it is, to the microsecond."""
        return timedelta(microseconds=self.samples * 1_000_000 // RATE)


def read_wav(audio: bytes) -> Wav:
    """Find the samples in *audio*, without copying them.

    Raises:
        Unsupported: it is another container, codec, rate, number of channels or width.
        InvalidRequest: it is broken (``corrupt_audio``), shorter than it claims
            (``truncated_audio``), or holds no sample (``empty_audio``).
    """
    if audio[:4] != b"RIFF" or (len(audio) >= 12 and audio[8:12] != b"WAVE"):
        seen = next((name for at, magic, name in _OTHERS if audio.startswith(magic, at)), None)
        raise Unsupported(
            f"this is {'no WAV file' if seen is None else seen}; {_ACCEPTED}",
            code="unsupported_audio",
        )
    if len(audio) < 12:
        raise _corrupt("it ends in its header")
    whole = struct.unpack_from("<I", audio, 4)[0] == len(audio) - 8
    described = False
    at = 12
    while at + 8 <= len(audio):
        name, size = struct.unpack_from("<4sI", audio, at)
        at += 8
        if name == b"data":
            if not described:
                raise _corrupt("its format does not come before its samples")
            return _samples(audio, at, size, whole=whole)
        if at + size > len(audio):
            break
        if name == b"fmt ":
            _check_format(audio[at : at + size])
            described = True
        # A chunk of an odd size is followed by a byte that counts for nothing.
        at += size + size % 2
    raise _corrupt("it ends before its samples begin")


def _check_format(chunk: bytes) -> None:
    if len(chunk) < 16:
        raise _corrupt("the description of its format is cut")
    codec, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", chunk)
    if codec == _EXTENSIBLE:
        if len(chunk) < 40:
            raise _corrupt("the description of its format is cut")
        codec = struct.unpack_from("<H", chunk, 24)[0]
        if chunk[24:40] != codec.to_bytes(2, "little") + _PCM_SUBFORMAT[2:]:
            raise Unsupported(f"its codec is not known; {_ACCEPTED}", code="unsupported_audio")
    if (codec, channels, rate, bits) != (_PCM, 1, RATE, 8 * _SAMPLE):
        kind = "PCM" if codec == _PCM else _CODECS.get(codec, f"codec {codec:#06x}")
        raise Unsupported(
            f"this WAV file has {rate} Hz, {channels} channel(s), {bits}-bit {kind}; {_ACCEPTED}",
            code="unsupported_audio",
        )
    if block != _SAMPLE:
        raise _corrupt("its format contradicts itself")


def _samples(audio: bytes, at: int, size: int, *, whole: bool) -> Wav:
    there = len(audio) - at
    if size >= _UNKNOWN_FROM or (size == 0 and not whole):
        size = there - there % _SAMPLE
    if size > there:
        raise InvalidRequest(
            f"the recording is cut: {there // _SAMPLE} of {size // _SAMPLE} samples are there; "
            "send the whole file",
            code="truncated_audio",
        )
    if size % _SAMPLE:
        raise _corrupt("half a sample is missing")
    if not size:
        raise InvalidRequest("the recording holds no sound at all", code="empty_audio")
    return Wav(memoryview(audio)[at : at + size])


def _corrupt(why: str) -> InvalidRequest:
    return InvalidRequest(f"the recording is broken: {why}", code="corrupt_audio")
