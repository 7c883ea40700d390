"""What is counted, and how sure we are of the count."""

from enum import StrEnum
from typing import Any, NoReturn


class Meter(StrEnum):
    """What one usage event counts. Pools are exclusive: no token is in two of them."""

    REQUESTS = "requests"
    INPUT_TOKENS = "input_tokens"
    """Text and image tokens read, neither cached nor written to a cache."""
    CACHED_INPUT_TOKENS = "cached_input_tokens"
    CACHE_WRITE_TOKENS = "cache_write_tokens"
    """Kept for the usual while: five minutes, where the provider says."""
    CACHE_WRITE_1H_TOKENS = "cache_write_1h_tokens"
    """Kept for an hour, at providers that charge more for it."""
    INPUT_AUDIO_TOKENS = "input_audio_tokens"
    OUTPUT_TOKENS = "output_tokens"
    """Visible tokens written, without reasoning."""
    REASONING_TOKENS = "reasoning_tokens"
    OUTPUT_AUDIO_TOKENS = "output_audio_tokens"
    AUDIO_MILLISECONDS = "audio_milliseconds"
    """Recorded sound, in thousandths of a second so that it stays a whole number."""
    CACHED_ANSWERS = "cached_answers"
    """Answers that were given again without asking a provider; they cost nothing."""


INPUT_POOLS = (
    Meter.INPUT_TOKENS,
    Meter.CACHED_INPUT_TOKENS,
    Meter.CACHE_WRITE_TOKENS,
    Meter.CACHE_WRITE_1H_TOKENS,
    Meter.INPUT_AUDIO_TOKENS,
)
OUTPUT_POOLS = (Meter.OUTPUT_TOKENS, Meter.REASONING_TOKENS, Meter.OUTPUT_AUDIO_TOKENS)


class Quantities(dict[Meter, int]):
    """Counts by meter that stay as they were made: no record need copy them."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("quantities stay as they were made; make others with Quantities({...})")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type["Quantities"], tuple[dict[Meter, int]]]:
        return Quantities, (dict(self),)


class Provenance(StrEnum):
    """Where a quantity comes from."""

    REPORTED = "reported"
    """The provider said it."""
    ESTIMATED = "estimated"
    """The provider did not say; we counted what we saw."""
    MISSING = "missing"
    """Nobody knows: the request failed before anything could be counted."""
