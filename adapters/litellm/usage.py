"""The token usage as litellm reports it, made into exclusive pools. Pure.

litellm's totals include their details: ``prompt_tokens`` holds cached, cache-writing and audio
tokens, ``completion_tokens`` holds reasoning and audio tokens. Where a provider counts reasoning
beside ``completion_tokens``, ``total_tokens`` says so.
"""

from typing import Any

from tollkeeper.domain.completions import TokenUsage


def pools(usage: Any) -> TokenUsage | None:
    """Take the details out of the totals; None where they are no counts, or exceed them.

    A report that contradicts itself is taken as none: the answer was made and will be billed, so
    it must reach the caller, and who charges it then estimates and says so.
    """
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    read, written = of(usage, "prompt_tokens_details"), of(usage, "completion_tokens_details")
    cached = _count(read, "cached_tokens")
    cache_write = _count(read, "cache_write_tokens") or _count(read, "cache_creation_tokens")
    input_audio, output_audio = _count(read, "audio_tokens"), _count(written, "audio_tokens")
    reasoning = _count(written, "reasoning_tokens")
    surplus = _count(usage, "total_tokens") - prompt - completion
    if not reasoning and surplus > 0:
        reasoning = surplus  # the provider counts it, and bills it, without naming it
    beside = reasoning == surplus
    found = {
        "input": prompt - cached - cache_write - input_audio,
        "cached_input": cached,
        "cache_write": cache_write,
        "input_audio": input_audio,
        "output": completion - output_audio - (0 if beside else reasoning),
        "reasoning": reasoning,
        "output_audio": output_audio,
    }
    if any(count < 0 for count in found.values()):
        return None
    return TokenUsage(**found)


def of(holder: Any, name: str) -> Any:
    """Read *name* of an object or a mapping; None where there is none."""
    return holder.get(name) if isinstance(holder, dict) else getattr(holder, name, None)


def _count(holder: Any, name: str) -> int:
    value = None if holder is None else of(holder, name)
    return value if type(value) is int else 0
