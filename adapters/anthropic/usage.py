"""The token usage of the Messages API, in exclusive pools. Pure.

``input_tokens`` leaves out what was read from or written to a cache; ``output_tokens`` holds the
reasoning. A stream says the first part at its start and repeats, cumulated, what changes.
"""

import msgspec

from tollkeeper.domain.completions import TokenUsage


class _CacheCreation(msgspec.Struct):
    ephemeral_1h_input_tokens: int | None = None
    ephemeral_5m_input_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class Usage(msgspec.Struct):
    """A ``usage`` object, whole or in part."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    output_tokens_details: _OutputDetails | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    server_tool_use: dict[str, object] | None = None

    def updated(self, later: "Usage") -> "Usage":
        """Return what the two say together; *later* knows better."""
        both = {name: getattr(self, name) for name in self.__struct_fields__}
        for name in self.__struct_fields__:
            if getattr(later, name) is not None:
                both[name] = getattr(later, name)
        return Usage(**both)

    def extras(self) -> dict[str, object]:
        """Return what is said beside the tokens, by its own names."""
        return {name: getattr(self, name) for name in _BESIDE if getattr(self, name) is not None}


_BESIDE = ("service_tier", "speed", "inference_geo", "server_tool_use")
_decoder = msgspec.json.Decoder(Usage)


def decode_usage(raw: bytes | msgspec.Raw) -> Usage | None:
    """Read a ``usage`` object; None where it is null or unreadable."""
    try:
        return _decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def pools_of(usage: Usage | None) -> TokenUsage | None:
    """Sort *usage* into pools; None where it leaves a count out or contradicts itself.

    A report that cannot be charged as it stands is taken as no report, not as a broken answer:
    the answer was made and will be billed, so it must reach the caller, and who charges it then
    estimates and says so. An explicit zero is a report.
    """
    if usage is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    split = usage.cache_creation or _CacheCreation()
    hour, minutes = split.ephemeral_1h_input_tokens or 0, split.ephemeral_5m_input_tokens or 0
    written = usage.cache_creation_input_tokens
    if written is None:
        written = hour + minutes
    details = usage.output_tokens_details or _OutputDetails()
    thought = details.thinking_tokens or 0
    pools = {
        "input": usage.input_tokens,
        "cached_input": usage.cache_read_input_tokens or 0,
        # The split is said at the start alone, and the sum may have grown since.
        "cache_write": written - hour,
        "cache_write_1h": hour,
        "output": usage.output_tokens - thought,
        "reasoning": thought,
    }
    if any(not 0 <= count < 2**63 for count in pools.values()) or minutes + hour > written:
        return None
    return TokenUsage(**pools)
