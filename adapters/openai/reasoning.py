"""What a model thought: as providers write it, and as they want it back. Pure.

OpenRouter's ``reasoning_details`` are described at
https://openrouter.ai/docs/use-cases/reasoning-tokens: a detail is a text with a signature, a
summary, or something encrypted; in a stream those of one ``index`` belong together.
"""

from collections.abc import Sequence
from typing import Any

from tollkeeper.domain.messages import ReasoningPart

_TEXT, _SUMMARY, _ENCRYPTED = "reasoning.text", "reasoning.summary", "reasoning.encrypted"
_FORMATS = {
    "anthropic/": "anthropic-claude-v1",
    "google/": "google-gemini-v1",
    "openai/": "openai-responses-v1",
    "x-ai/": "xai-responses-v1",
}


class Thoughts:
    """Collects the thoughts of one answer, whole or in pieces.

    An encrypted detail's id belongs to it, and is kept as its signature.
    """

    __slots__ = ("_details", "_texts")

    def __init__(self) -> None:
        self._details: dict[tuple[int, str], list[str]] = {}  # text, signature, redacted
        self._texts: list[str] = []

    def add_text(self, text: str) -> None:
        """Take in a piece of plain reasoning."""
        self._texts.append(text)

    def add_details(self, details: object) -> str:
        """Take in ``reasoning_details``, and return the text that they hold."""
        shown = ""
        if not isinstance(details, list):
            return shown
        for position, detail in enumerate(details):
            if isinstance(detail, dict):
                shown += self._add(position, detail)
        return shown

    def _add(self, position: int, detail: dict[str, Any]) -> str:
        index, kind = detail.get("index"), _word(detail.get("type"))
        key = (index if isinstance(index, int) else position, kind)
        known = self._details.setdefault(key, ["", "", ""])
        text = _word(detail.get("summary" if kind == _SUMMARY else "text"))
        known[0] += text
        if kind == _ENCRYPTED:
            known[1] = known[1] or _word(detail.get("id"))
            known[2] += _word(detail.get("data"))
        else:
            known[1] += _word(detail.get("signature"))
        return text

    def parts(self) -> tuple[ReasoningPart, ...]:
        """Return the thoughts so far, each whole; the details where there are any."""
        if self._details:
            found = (ReasoningPart(*known) for known in self._details.values() if any(known))
            return tuple(found)
        text = "".join(self._texts)
        return (ReasoningPart(text),) if text else ()


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def as_details(parts: Sequence[ReasoningPart], model: str) -> list[dict[str, Any]]:
    """Write *parts* as the ``reasoning_details`` that *model* wants back.

    The format of a detail is the maker's of the model, whom OpenRouter names before the slash.
    """
    made_by = next((maker for maker in _FORMATS if model.startswith(maker)), None)
    more = {} if made_by is None else {"format": _FORMATS[made_by]}
    found: list[dict[str, Any]] = []
    for part in parts:
        detail: dict[str, Any] = {**more, "index": len(found)}
        if part.redacted:
            detail |= {"type": _ENCRYPTED, "data": part.redacted}
            if part.signature:
                detail["id"] = part.signature
        elif model.startswith(("openai/", "x-ai/")):
            detail |= {"type": _SUMMARY, "summary": part.text}
        else:
            detail |= {"type": _TEXT, "text": part.text}
            if part.signature:
                detail["signature"] = part.signature
        found.append(detail)
    return found
