"""Decodes in a process of its own: pocketsphinx holds the interpreter's lock while it works.

Samples come in by standard input, JSON goes out by standard output. Each recording gets a fresh
decoder: one that has worked before adapts to what it heard, and answers differently each time.
"""

import json
import os
import sys
from array import array
from pathlib import Path
from typing import Any, Final

from tollkeeper.adapters.pocketsphinx.speech import RATE, sounds_like_speech

MODEL: Final = "en-us"
_LONGEST = 20 * RATE
_MARGIN = 3 * RATE // 10
_GAP = RATE

Span = tuple[int, int]


def make_decoder() -> Any:
    """Load the model that comes with the package; about half a second.

    The second pass over the words is left out: with it, more words are wrong (0.28 of 71 rather
    than 0.27), and it takes longer. Dither keeps digital silence from breaking the features.
    """
    import pocketsphinx

    # Named outright: the package would look into the environment otherwise.
    models = Path(pocketsphinx.__file__).parent / "model" / MODEL
    return pocketsphinx.Decoder(
        hmm=str(models / MODEL),
        lm=str(models / f"{MODEL}.lm.bin"),
        dict=str(models / f"cmudict-{MODEL}.dict"),
        loglevel="FATAL",
        fwdflat=False,
        dither=True,
        seed=1,
    )


def loud_parts(pcm: bytes) -> list[Span]:
    """Find what is louder than its surroundings, as samples from and to."""
    from pocketsphinx import Endpointer

    endpointer = Endpointer()
    size = endpointer.frame_bytes
    parts: list[Span] = []
    begun = 0
    for start in range(0, len(pcm), size):
        before = endpointer.in_speech
        frame = pcm[start : start + size]
        # The frame may be cut short at the end alone, and only there may the stream be ended.
        if start + size < len(pcm):
            endpointer.process(frame)
        elif before:
            endpointer.end_stream(frame)
        if endpointer.in_speech and not before:
            begun = round(endpointer.speech_start * RATE)
        if before and not endpointer.in_speech:
            parts.append((begun, min(round(endpointer.speech_end * RATE), len(pcm) // 2)))
    return parts


def speech_parts(pcm: bytes) -> list[Span]:
    """Find what is speech, cut where it is quietest into parts of 20 seconds at most."""
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    parts: list[Span] = []
    for begin, end in loud_parts(pcm):
        for part in _cut(samples, begin, end):
            if not sounds_like_speech(samples[slice(*part)]):
                continue
            # Words are recognised better in company: neighbours stay together.
            if parts and part[0] - parts[-1][1] <= _GAP and part[1] - parts[-1][0] <= _LONGEST:
                part = (parts.pop()[0], part[1])
            parts.append(part)
    return _with_margins(parts, len(samples))


def _cut(samples: "array[int]", begin: int, end: int) -> list[Span]:
    parts = []
    while end - begin > _LONGEST:
        tries = range(begin + _LONGEST // 2, begin + _LONGEST - _MARGIN, _MARGIN // 2)
        quietest = min(tries, key=lambda at: sum(map(abs, samples[at : at + _MARGIN])))
        middle = quietest + _MARGIN // 2
        parts.append((begin, middle))
        begin = middle
    return [*parts, (begin, end)]


def _with_margins(parts: list[Span], length: int) -> list[Span]:
    """Give each part the moment before and after it, which may hold the edge of a word."""
    wider = []
    for index, (begin, end) in enumerate(parts):
        earliest = (parts[index - 1][1] + begin + 1) // 2 if index else 0
        latest = (end + parts[index + 1][0]) // 2 if index + 1 < len(parts) else length
        wider.append((max(earliest, begin - _MARGIN), min(latest, end + _MARGIN)))
    return wider


def decode(pcm: bytes) -> str:
    """Return the words in *pcm* (16 kHz, mono, 16 bits, little-endian); none in noise."""
    parts = speech_parts(pcm)
    if not parts:
        return ""
    decoder = make_decoder()
    parent = os.getppid()
    words = []
    for begin, end in parts:
        if os.getppid() != parent:
            sys.exit("whoever asked is gone")
        decoder.start_utt()
        # As a whole, so that the features are set off against the mean of all of it.
        decoder.process_raw(pcm[2 * begin : 2 * end], full_utt=True)
        decoder.end_utt()
        guess = decoder.hyp()
        if guess is not None:
            words.append(guess.hypstr)
    return " ".join(" ".join(words).split())


def main() -> None:
    """Decode standard input; load the model and no more if there is nothing in it."""
    pcm = sys.stdin.buffer.read()
    if pcm:
        text = decode(pcm)
    else:
        make_decoder()
        text = ""
    json.dump({"text": text}, sys.stdout)
