"""The token usage of the OpenAI format, made into exclusive pools. Pure.

The format's totals include their details: ``prompt_tokens`` holds cached, cache-writing and audio
tokens, ``completion_tokens`` holds reasoning and audio tokens. Some providers count reasoning
beside ``completion_tokens``; their ``total_tokens`` says so, for some of them (Gemini) alone.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tollkeeper.domain.completions import TokenUsage


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None
    audio_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_creation_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    cost: Any = None
    cost_details: Any = None
    cost_in_usd_ticks: Any = None
    num_sources_used: Any = None


_MORE = ("cost", "cost_details", "cost_in_usd_ticks", "num_sources_used")
_decoder = msgspec.json.Decoder(_Usage)
NULL = msgspec.Raw(b"null")
_NOTHING_MORE: Mapping[str, Any] = {}


def decode_usage(raw: bytes | msgspec.Raw) -> TokenUsage | None:
    """Read the tokens of a ``usage`` object; see :func:`decode_report`."""
    return decode_report(raw)[0]


def decode_report(raw: bytes | msgspec.Raw) -> tuple[TokenUsage | None, Mapping[str, Any]]:
    """Read a ``usage`` object: the tokens, and what else it says by its own names (``usage.cost``).

    The tokens are None where it is null, unreadable or contradicts itself.

    A report whose parts exceed their total cannot be charged as it stands. It is taken as no
    report, not as a broken answer: the answer was made and will be billed, so it must reach the
    caller, and who charges it then estimates and says so. An explicit zero is a report.
    """
    if raw == NULL:
        return None, _NOTHING_MORE
    try:
        found = _decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None, _NOTHING_MORE
    more = {f"usage.{name}": value for name in _MORE if (value := getattr(found, name)) is not None}
    return _pools(found), more


def _pools(found: _Usage) -> TokenUsage | None:
    """Take the details out of the totals; None where they exceed them."""
    read = found.prompt_tokens_details or _InputDetails()
    written = found.completion_tokens_details or _OutputDetails()
    cached = read.cached_tokens
    if cached is None:
        cached = found.prompt_cache_hit_tokens or 0
    cache_write = read.cache_write_tokens or read.cache_creation_tokens or 0
    input_audio = read.audio_tokens or 0
    reasoning = written.reasoning_tokens or 0
    output_audio = written.audio_tokens or 0
    surplus = (found.total_tokens or 0) - found.prompt_tokens - found.completion_tokens
    if not reasoning and surplus > 0:
        reasoning = surplus  # the provider counts it, and bills it, without naming it
    beside = reasoning == surplus
    pools = {
        "input": found.prompt_tokens - cached - cache_write - input_audio,
        "cached_input": cached,
        "cache_write": cache_write,
        "input_audio": input_audio,
        "output": found.completion_tokens - output_audio - (0 if beside else reasoning),
        "reasoning": reasoning,
        "output_audio": output_audio,
    }
    if any(count < 0 for count in pools.values()):
        return None
    return TokenUsage(**pools)
