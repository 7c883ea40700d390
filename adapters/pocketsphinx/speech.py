"""Tells speech from noise, since the decoder invents words for either; pure.

The decoder's own voice activity detection takes any loud sound for speech. Three things tell
them apart, tried on 60 kinds of silence, noise, hum, tones, clicks and knocks against recordings
of speakers, clean and with noise 10 dB below them: speech has stretches with a pitch, the pitch
moves, and the loudness rises and falls. Music has all three and is not told from speech.
"""

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from operator import mul
from typing import Final

RATE: Final = 16_000
_THINNED: Final = 4
# A frame is 32 ms; pitches from 63 to 400 Hz are looked for.
_FRAME: Final = 128
_LAGS: Final = range(10, 65)
_QUIETEST_POWER: Final = 30.0**2
_PITCHED: Final = 0.6
_CLEARLY_BETTER: Final = 0.9
_LEAST_PITCHED_SHARE: Final = 0.06
_LEAST_PITCHED_FRAMES: Final = 2
_MOST_OF_ONE_PITCH: Final = 0.6
_LEAST_MOVEMENT: Final = 2.5


def sounds_like_speech(samples: "array[int]") -> bool:
    """Whether *samples* (16-bit) hold a voice; costs about 2 % of their duration."""
    levels: list[float] = []
    pitches: Counter[int] = Counter()
    for start in range(0, len(samples) - _FRAME * _THINNED + 1, _FRAME * _THINNED):
        frame = samples[start : start + _FRAME * _THINNED]
        power = sum(map(mul, frame, frame)) / len(frame)
        levels.append(10 * math.log10(power + 1))
        if power >= _QUIETEST_POWER:
            pitch = _pitch(_thin(frame))
            if pitch is not None:
                pitches[pitch] += 1
    pitched = pitches.total()
    return (
        pitched >= max(_LEAST_PITCHED_FRAMES, _LEAST_PITCHED_SHARE * len(levels))
        and max(pitches.values()) <= _MOST_OF_ONE_PITCH * pitched
        and _deviation(levels) >= _LEAST_MOVEMENT
    )


def _thin(frame: Sequence[int]) -> list[int]:
    """Keep every fourth sample of what is below 2 kHz, and weaken hum and rumble."""
    parts = [frame[offset::_THINNED] for offset in range(_THINNED)]
    sums = list(map(sum, zip(*parts, strict=True)))
    return [after - before for before, after in pairwise(sums)]


def _pitch(frame: list[int]) -> int | None:
    """Return the lag at which the frame looks most like itself, if it does."""
    best, likeness = None, _PITCHED
    before, here = 1.0, 1.0
    length = len(frame)
    for lag in _LAGS:
        early, late = frame[: length - lag], frame[lag:]
        scale = sum(map(mul, early, early)) * sum(map(mul, late, late))
        after = sum(map(mul, early, late)) / math.sqrt(scale) if scale else 0.0
        # A peak, not a slope: rumble and hum are much like themselves a moment later too.
        # A clearly better one, since a sound is like itself after two periods as well.
        if here > likeness and before < here >= after:
            best, likeness = lag - 1, here / _CLEARLY_BETTER
        before, here = here, after
    return best


def _deviation(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
