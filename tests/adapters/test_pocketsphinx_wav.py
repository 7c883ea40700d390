"""WAV files are read as they are, and what is not one is told apart from what is broken."""

import struct
from array import array
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.adapters.pocketsphinx.wav import Wav, read_wav
from tollkeeper.contracts.transcriber import a_wav
from tollkeeper.domain.errors import DomainError, InvalidRequest, Unsupported

SAMPLES = array("h", range(-500, 500))
PCM = SAMPLES.tobytes()
GUID = bytes.fromhex("0100000000001000800000aa00389b71")


def chunk(name: bytes, data: bytes, *, size: int | None = None) -> bytes:
    """Write a chunk, with the byte that evens it out."""
    return (
        struct.pack("<4sI", name, len(data) if size is None else size)
        + data
        + b"\0" * (len(data) % 2)
    )


def a_format(
    *, codec: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, more: bytes = b""
) -> bytes:
    block = channels * bits // 8
    header = struct.pack("<HHIIHH", codec, channels, rate, rate * block, block, bits)
    return chunk(b"fmt ", header + more)


def a_file(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return struct.pack("<4sI", b"RIFF", len(body) if size is None else size) + body


def pcm_of(audio: bytes) -> bytes:
    return bytes(read_wav(audio).pcm)


def refused(audio: bytes) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_wav(audio)
    return caught.value.code


def unsupported(audio: bytes) -> str:
    with pytest.raises(Unsupported, match="16 kHz, mono, 16-bit PCM") as caught:
        read_wav(audio)
    assert caught.value.code == "unsupported_audio"
    return caught.value.public_message


def test_the_samples_come_as_they_are() -> None:
    wav = read_wav(a_wav(SAMPLES))
    assert bytes(wav.pcm) == PCM
    assert wav.samples == 1000
    assert wav.duration == timedelta(seconds=1000 / 16_000)


def test_other_chunks_are_passed_over() -> None:
    audio = a_file(
        chunk(b"LIST", b"odd"),
        a_format(),
        chunk(b"fact", bytes(4)),
        chunk(b"junk", bytes(4097)),
        chunk(b"data", PCM),
        chunk(b"LIST", b"after"),
        b"tail",
    )
    assert pcm_of(audio) == PCM


def test_a_longer_description_is_read() -> None:
    assert pcm_of(a_file(a_format(more=bytes(2)), chunk(b"data", PCM))) == PCM


def test_the_extensible_description_of_pcm_is_read() -> None:
    more = struct.pack("<HHI", 22, 16, 4) + GUID
    assert pcm_of(a_file(a_format(codec=0xFFFE, more=more), chunk(b"data", PCM))) == PCM


def test_the_extensible_description_of_another_codec_is_not() -> None:
    floating = struct.pack("<HHI", 22, 16, 4) + b"\x03" + GUID[1:]
    odd = struct.pack("<HHI", 22, 16, 4) + GUID[:-1] + b"x"
    cut = struct.pack("<H", 22)
    data = chunk(b"data", PCM)
    assert "floating point" in unsupported(a_file(a_format(codec=0xFFFE, more=floating), data))
    assert "codec" in unsupported(a_file(a_format(codec=0xFFFE, more=odd), data))
    assert refused(a_file(a_format(codec=0xFFFE, more=cut), data)) == "corrupt_audio"


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF, 0x7FFF_FFFF - 36, 0x8000_0000])
@pytest.mark.parametrize("whole", [0, 0xFFFF_FFFF])
def test_a_recording_from_a_pipe_goes_on_to_the_end(size: int, whole: int) -> None:
    assert pcm_of(a_file(a_format(), chunk(b"data", PCM, size=size), size=whole)) == PCM
    half_more = a_file(a_format(), chunk(b"data", PCM, size=size) + b"\1", size=whole)
    assert pcm_of(half_more) == PCM


def test_a_pipe_that_broke_at_once_is_empty() -> None:
    assert refused(a_file(a_format(), chunk(b"data", b"", size=0xFFFF_FFFF))) == "empty_audio"


def test_a_file_that_says_that_it_is_empty_is() -> None:
    assert refused(a_file(a_format(), chunk(b"data", b""))) == "empty_audio"
    assert refused(a_file(a_format(), chunk(b"data", b""), chunk(b"LIST", bytes(8)))) == (
        "empty_audio"
    )


@pytest.mark.parametrize(
    ("described", "seen"),
    [
        (a_format(rate=44_100), "44100 Hz"),
        (a_format(rate=8_000), "8000 Hz"),
        (a_format(channels=2), "2 channel(s)"),
        (a_format(bits=8), "8-bit PCM"),
        (a_format(bits=24), "24-bit PCM"),
        (a_format(codec=3, bits=32), "32-bit floating point"),
        (a_format(codec=7, bits=8), "u-law"),
        (a_format(codec=0x1234), "codec 0x1234"),
    ],
)
def test_other_formats_are_named(described: bytes, seen: str) -> None:
    assert seen in unsupported(a_file(described, chunk(b"data", PCM)))


@pytest.mark.parametrize(
    ("audio", "seen"),
    [
        (b"ID3\x04" + bytes(100), "MP3"),
        (b"\xff\xfb\x90\x64" + bytes(100), "MP3"),
        (b"OggS" + bytes(100), "Ogg"),
        (b"fLaC" + bytes(100), "FLAC"),
        (bytes(4) + b"ftypM4A " + bytes(100), "MP4"),
        (b"\x1a\x45\xdf\xa3" + bytes(100), "WebM"),
        (b"RF64" + bytes(100), "64-bit WAV"),
        (b"RIFF" + bytes(4) + b"AVI " + bytes(100), "no WAV file"),
        (b"this is a text file", "no WAV file"),
        (b"R", "no WAV file"),
    ],
)
def test_other_containers_are_named(audio: bytes, seen: str) -> None:
    assert seen in unsupported(audio)


@pytest.mark.parametrize("left", [4, 8, 11, 12, 19, 20, 35, 36, 40, 43])
def test_a_header_that_is_cut_is_broken(left: int) -> None:
    assert refused(a_wav(SAMPLES)[:left]) == "corrupt_audio"


@pytest.mark.parametrize("left", [44, 45, 46, 1000, 2043])
def test_samples_that_are_cut_are_told(left: int) -> None:
    assert refused(a_wav(SAMPLES)[:left]) == "truncated_audio"


@pytest.mark.parametrize(
    "audio",
    [
        a_file(chunk(b"data", PCM)),
        a_file(chunk(b"data", PCM), a_format()),
        a_file(a_format()),
        a_file(chunk(b"fmt ", bytes(10)), chunk(b"data", PCM)),
        a_file(a_format(), chunk(b"data", b"odd")),
        a_file(chunk(b"HURF", bytes(100), size=0x3939_3939)),
        a_file(
            chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 4, 16)), chunk(b"data", PCM)
        ),
    ],
    ids=["undescribed", "described late", "no data", "short", "half", "huge chunk", "block"],
)
def test_a_file_that_contradicts_itself_is_broken(audio: bytes) -> None:
    assert refused(audio) == "corrupt_audio"


@given(st.binary(max_size=200), st.integers(0, 80), st.integers(0, 60))
def test_whatever_comes_is_read_or_refused(noise: bytes, at: int, cut: int) -> None:
    sound = a_file(a_format(), chunk(b"data", PCM[:40]))
    for audio in (noise, b"RIFF" + noise, sound[:at] + noise + sound[at + cut :]):
        try:
            wav = read_wav(audio)
        except DomainError:
            continue
        assert isinstance(wav, Wav)
        assert 0 < wav.samples <= len(audio) // 2
