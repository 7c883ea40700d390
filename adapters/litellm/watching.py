"""What an answer itself says, before litellm reads it. Pure.

litellm invents a usage where there is none, and takes reasons it does not know for ``stop``. What
is charged, and what ends an answer, is therefore looked up in what the provider sent.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tollkeeper.adapters.litellm.styles import Style
from tollkeeper.adapters.litellm.thoughts import Thoughts

_USAGES = ("usage", "usageMetadata", "usage_metadata", "billed_units")
_COUNTS = ("prompt_eval_count", "eval_count")
_REASONS = ("finish_reason", "finishReason", "stop_reason", "done_reason", "stopReason")
_NESTED = ("choices", "candidates", "delta", "message", "response", "meta", "x_groq", "output")


class Watched:
    """Looks at each JSON object of one answer.

    *usage* says that the provider reported one, *reason* is the last that it gave, in its own
    words, and *native* the one of the provider behind it.
    """

    def __init__(self, style: Style) -> None:
        self.thoughts = Thoughts(style)
        self.begun = False
        """Anything was said."""
        self.model = ""
        self.usage = False
        self.reason = ""
        self.native = ""
        self.extras: dict[str, Any] = {}
        self.aside: dict[str, Any] | None = None
        """A usage that litellm does not look at."""
        self.last = False
        """The line that ends a stream was seen."""

    def look(self, found: Mapping[str, Any]) -> None:
        """Take *found* in."""
        self.thoughts.look(found)
        self.begun = True
        for each in _objects(found):
            for name in _USAGES:
                self.usage = self.usage or _counts(each.get(name))
            self.usage = self.usage or any(isinstance(each.get(name), int) for name in _COUNTS)
            self.model = _word(each.get("model")) or _word(each.get("modelVersion")) or self.model
            for name in _REASONS:
                if isinstance(each.get(name), str) and each[name]:
                    self.reason = each[name]
            if each.get("stop_details"):
                self.extras["stop_details"] = each["stop_details"]
            native = each.get("native_finish_reason")
            if isinstance(native, str) and native:
                self.native = self.extras["native_finish_reason"] = native
        beside = found.get("x_groq")
        if isinstance(beside, Mapping) and isinstance(beside.get("usage"), dict):
            self.aside = beside["usage"]
        usage = found.get("usage")
        if isinstance(usage, Mapping):
            for name in ("cost", "cost_details", "cost_in_usd_ticks", "num_sources_used"):
                if usage.get(name) is not None:
                    self.extras[f"usage.{name}"] = usage[name]
        for name in ("id", "provider", "system_fingerprint", "service_tier", "citations"):
            if found.get(name):
                self.extras[name] = found[name]


def _objects(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield *found*, and the objects in it where formats have what is looked for."""
    yield found
    for name in _NESTED:
        inner = found.get(name)
        if isinstance(inner, list):
            inner = inner[0] if inner else None
        if isinstance(inner, Mapping):
            yield from _objects(inner)


def _counts(usage: object) -> bool:
    """Whether *usage* holds numbers: one without is no report."""
    return isinstance(usage, Mapping) and any(type(count) is int for count in usage.values())


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
