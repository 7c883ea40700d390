"""Answers that are as they should be, but which litellm would not read as they are. Pure.

What is filled in or covered here is looked up in the answer itself, before: a usage that is not
there is not charged, and a reason is told as the provider gave it.
"""

from collections.abc import Mapping
from typing import Any

_NOTHING_COUNTED = {"input_tokens": 0, "output_tokens": 0}


def mended(found: Mapping[str, Any], provider: str) -> Mapping[str, Any]:
    """Return *found*, a whole answer of *provider*, so that litellm reads it."""
    if provider == "groq":
        return {"service_tier": "auto", **found}  # it fails without
    if provider == "anthropic":
        return {**found, "usage": found.get("usage") or _NOTHING_COUNTED}
    if provider == "gemini":
        return {
            **found,
            "usageMetadata": found.get("usageMetadata") or {},
            "candidates": [_stopped(candidate) for candidate in found.get("candidates") or ()],
        }
    return found


def _stopped(candidate: Any) -> Any:
    """Cover a reason for which litellm would throw away the text and the usage."""
    if not isinstance(candidate, Mapping) or "finishReason" not in candidate:
        return candidate
    return {**candidate, "finishReason": "STOP"}
