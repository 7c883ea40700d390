"""How many tokens a text is, without asking the provider."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class TokenCounter(Protocol):
    """A provider's own tokenizer, offline; fast enough for the event loop."""

    def count(self, text: str, *, model: str) -> int | None:
        """Count the tokens of *text* for *model* (``provider/name``); None if it cannot tell.

        Special tokens in *text* count as the plain text that they are. Never raises for any
        valid Unicode text.
        """
