"""What a model says, apart from how a wire format writes it."""

from typing import Any, Literal

import attrs
from attrs import frozen

Json = dict[str, Any]
Finish = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "paused"]
MODEL = "echo-2001"


@frozen
class Pools:
    """Tokens, each in one pool; what a format cannot say apart, :meth:`WireFormat.heard` joins."""

    input: int = 0
    output: int = 0
    cached_input: int = 0
    cache_write: int = 0
    reasoning: int = 0

    @property
    def read(self) -> int:
        """All that was read."""
        return self.input + self.cached_input + self.cache_write

    @property
    def total(self) -> int:
        """All that was read and written."""
        return self.read + self.output + self.reasoning


USAGE = Pools(input=9, output=7, cached_input=2)


@frozen
class Call:
    """A call of a tool; *arguments* are the fragments that a stream sends one by one."""

    id: str
    name: str
    arguments: tuple[str, ...] = ("{}",)
    signature: str = ""
    """What the provider wants back with the call (Gemini alone)."""

    @property
    def whole(self) -> str:
        """The arguments in one piece."""
        return "".join(self.arguments)


@frozen
class Answer:
    """One answer of a model; a piece of *text* or *reasoning* is one event of a stream."""

    text: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    signature: str = ""
    """What the provider wants back with the reasoning."""
    redacted: str = ""
    """Reasoning that the provider shows to nobody (Anthropic alone)."""
    calls: tuple[Call, ...] = ()
    refusal: str = ""
    finish: Finish = "stop"
    usage: Pools | None = USAGE
    logprobs: tuple[tuple[str, float], ...] | None = None
    """A token and its logarithm for each piece of the text."""
    model: str = MODEL
    stopped_at: str = ""
    """The caller's stop sequence that ended the text."""
    window_full: bool = False
    """With *finish* ``length``: the context window was full, not the bound reached."""
    usage_everywhere: bool = False
    """Report the usage so far with each event that can carry it."""

    @property
    def whole_text(self) -> str:
        """The text in one piece."""
        return "".join(self.text)

    @property
    def whole_reasoning(self) -> str:
        """The reasoning in one piece."""
        return "".join(self.reasoning)

    def so_far(self, events: int) -> Pools | None:
        """Return the usage after *events* events: what was read, and as many tokens written."""
        if self.usage is None:
            return None
        return attrs.evolve(self.usage, output=min(events, self.usage.output), reasoning=0)
