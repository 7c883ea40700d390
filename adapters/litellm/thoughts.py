"""What a model thought, as its provider wants it back. Pure."""

from collections.abc import Mapping
from typing import Any

from tollkeeper.adapters.litellm.styles import Style
from tollkeeper.domain.messages import ReasoningPart

_SUMMARY, _ENCRYPTED = "reasoning.summary", "reasoning.encrypted"


class Thoughts:
    """Collects the thoughts of one answer, whole or in pieces.

    What bears a proof is read from what the provider sent, for litellm does not keep it for all.
    """

    def __init__(self, style: Style) -> None:
        self._style = style
        self._pieces: dict[tuple[int, str], list[str]] = {}  # text, signature, redacted
        self._text: list[str] = []
        self._signature = ""

    def add_text(self, text: str) -> None:
        """Take in a piece of plain reasoning."""
        self._text.append(text)

    def look(self, found: Mapping[str, Any]) -> None:
        """Take in what *found*, an object of the answer, says about thoughts."""
        kind = self._style.thoughts
        if kind == "thinking_blocks":
            self._look_at_blocks(found)
        elif kind == "reasoning_details":
            for said in _messages(found):
                details = said.get("reasoning_details")
                for place, detail in enumerate(details if isinstance(details, list) else ()):
                    if isinstance(detail, dict):
                        self._add_detail(place, detail)
        elif kind == "gemini":
            for part in _gemini_parts(found):
                if "functionCall" not in part and _word(part.get("thoughtSignature")):
                    self._signature = part["thoughtSignature"]

    def _look_at_blocks(self, found: Mapping[str, Any]) -> None:
        content = found.get("content")
        for place, block in enumerate(content if isinstance(content, list) else ()):
            if isinstance(block, dict):
                self._add_block(place, block)
        index = found.get("index")
        if not isinstance(index, int):
            return
        for name in ("content_block", "delta"):
            block = found.get(name)
            if isinstance(block, dict):
                self._add_block(index, block)

    def _add_block(self, index: int, block: Mapping[str, Any]) -> None:
        if block.get("type") in ("thinking", "redacted_thinking", "thinking_delta"):
            known = self._pieces.setdefault((index, ""), ["", "", ""])
            known[0] += _word(block.get("thinking"))
            known[1] += _word(block.get("signature"))
            known[2] += _word(block.get("data"))
        elif block.get("type") == "signature_delta":
            known = self._pieces.setdefault((index, ""), ["", "", ""])
            known[1] += _word(block.get("signature"))

    def _add_detail(self, place: int, detail: Mapping[str, Any]) -> None:
        index, kind = detail.get("index"), _word(detail.get("type"))
        key = (index if isinstance(index, int) else place, kind)
        known = self._pieces.setdefault(key, ["", "", ""])
        known[0] += _word(detail.get("summary" if kind == _SUMMARY else "text"))
        if kind == _ENCRYPTED:
            known[1] = known[1] or _word(detail.get("id"))
            known[2] += _word(detail.get("data"))
        else:
            known[1] += _word(detail.get("signature"))

    def parts(self) -> tuple[ReasoningPart, ...]:
        """Return the thoughts so far, each whole; none where the provider wants none back."""
        if not self._style.thoughts:
            return ()
        if self._pieces:
            return tuple(ReasoningPart(*known) for known in self._pieces.values() if any(known))
        text = "".join(self._text)
        if not text and not self._signature:
            return ()
        if self._style.thoughts == "thinking_blocks":
            return ()  # without a signature the provider does not take them back
        return (ReasoningPart(text, self._signature),)


def _messages(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    choices = found.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict):
        return []
    return [said for said in (first.get("message"), first.get("delta")) if isinstance(said, dict)]


def _gemini_parts(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    candidates = found.get("candidates")
    first = candidates[0] if isinstance(candidates, list) and candidates else None
    content = first.get("content") if isinstance(first, dict) else None
    parts = content.get("parts") if isinstance(content, dict) else None
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
