"""What a chat model says: deltas, the completion they add up to, and its token usage."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.messages import Message, ReasoningPart, ToolCall, assistant
from tollkeeper.domain.meters import Meter, Provenance, Quantities
from tollkeeper.domain.money import Money


class FinishReason(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    """The model itself declined to answer."""
    PAUSED = "paused"
    """The provider wants the answer sent back to go on with it."""
    OTHER = "other"
    """A reason that the provider alone knows; never taken for ``stop``."""


def _check_count(_: object, __: object, count: int) -> None:
    if type(count) is not int or count < 0:
        raise InvalidRequest("a token count is a whole number, 0 or more", code="invalid_usage")


@frozen
class TokenUsage:
    """Tokens in exclusive pools: their sum is what the provider counted, none is in two pools."""

    input: int = field(default=0, validator=_check_count)
    output: int = field(default=0, validator=_check_count)
    cached_input: int = field(default=0, validator=_check_count)
    cache_write: int = field(default=0, validator=_check_count)
    reasoning: int = field(default=0, validator=_check_count)
    input_audio: int = field(default=0, validator=_check_count)
    output_audio: int = field(default=0, validator=_check_count)
    cache_write_1h: int = field(default=0, validator=_check_count)
    """Kept for an hour; *cache_write* is what is kept for the usual while."""

    def quantities(self) -> Quantities:
        """The same, by meter, with the one request that it took."""
        return Quantities(
            {
                Meter.REQUESTS: 1,
                Meter.INPUT_TOKENS: self.input,
                Meter.CACHED_INPUT_TOKENS: self.cached_input,
                Meter.CACHE_WRITE_TOKENS: self.cache_write,
                Meter.CACHE_WRITE_1H_TOKENS: self.cache_write_1h,
                Meter.INPUT_AUDIO_TOKENS: self.input_audio,
                Meter.OUTPUT_TOKENS: self.output,
                Meter.REASONING_TOKENS: self.reasoning,
                Meter.OUTPUT_AUDIO_TOKENS: self.output_audio,
            }
        )

    @property
    def total(self) -> int:
        """All tokens read and written."""
        return sum(self._pools)

    @property
    def largest(self) -> int:
        """The tokens of the largest pool."""
        return max(self._pools)

    @property
    def _pools(self) -> tuple[int, ...]:
        return (
            self.input,
            self.output,
            self.cached_input,
            self.cache_write,
            self.reasoning,
            self.input_audio,
            self.output_audio,
            self.cache_write_1h,
        )


@frozen
class TokenLogprob:
    """One written token with the natural logarithm of its probability, and its rivals."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()
    """The likeliest tokens at this place with their logarithms, the likeliest first."""


@frozen
class ToolCallDelta:
    """A piece of the *index*-th tool call; *id* and *name* come once, *arguments* in pieces."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    signature: str = field(default="", repr=False)


@frozen
class Delta:
    """A piece of a streamed answer; what a piece does not carry is empty.

    *usage* comes once, at or after the *finish_reason*, where the provider reports it.
    *thought* is a whole piece of reasoning as the provider wants it back; its text was streamed
    as *reasoning* before.
    """

    text: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    reasoning: str = ""
    refusal: str = ""
    finish_reason: FinishReason | None = None
    usage: TokenUsage | None = None
    model: str = ""
    """The model that answers, as the provider names it."""
    thought: ReasoningPart | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    warnings: tuple[str, ...] = ()
    extras: Mapping[str, Any] = field(factory=dict)
    """What else the provider said, by its own names."""
    provenance: Provenance | None = None
    """Who says the *usage*: set by the use cases, on the delta that carries it."""


@frozen
class Receipt:
    """What a call set aside and took: *held* at most, *charged* in fact, the rest released.

    *quantities* are what was measured, *provenance* who said so, *price_id* at which prices,
    *entry_id* the ledger's entry. *balance_after* is what was posted right after.
    """

    call_id: str
    account: str
    model: str
    held: Money
    charged: Money
    quantities: Mapping[Meter, int]
    provenance: Provenance
    price_id: str
    entry_id: str
    balance_after: Money


@frozen
class Completion:
    """A whole answer. *usage* is None where the provider did not report it.

    A chat model fills in what the provider said, from *text* to *extras*. The use cases add who
    answered (*provider*), where *usage* comes from (*provenance*), every HTTP request that was
    made (*attempts*), and the *receipt* once the call was charged. *cached* says that the answer
    was kept from an earlier call of the same account, and cost nothing.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    refusal: str = ""
    finish_reason: FinishReason | None = None
    usage: TokenUsage | None = None
    model: str = ""
    receipt: Receipt | None = None
    thoughts: tuple[ReasoningPart, ...] = ()
    """The reasoning as the provider wants it back; see :meth:`as_message`."""
    logprobs: tuple[TokenLogprob, ...] = ()
    warnings: tuple[str, ...] = ()
    extras: Mapping[str, Any] = field(factory=dict)
    provider: str = ""
    provenance: Provenance | None = None
    attempts: tuple[Attempt, ...] = ()
    cached: bool = False
    first_after: timedelta | None = None
    """From the call to the first piece, for streams."""

    def settled(
        self,
        *,
        usage: TokenUsage,
        receipt: Receipt,
        provider: str,
        provenance: Provenance,
        attempts: tuple[Attempt, ...],
    ) -> "Completion":
        """Return the answer with what is known of it once it is charged."""
        # Each field by its name, since every call comes by here: attrs.evolve takes four times as
        # long.
        return Completion(
            text=self.text,
            tool_calls=self.tool_calls,
            reasoning=self.reasoning,
            refusal=self.refusal,
            finish_reason=self.finish_reason,
            usage=usage,
            model=self.model,
            receipt=receipt,
            thoughts=self.thoughts,
            logprobs=self.logprobs,
            warnings=self.warnings,
            extras=self.extras,
            provider=provider,
            provenance=provenance,
            attempts=attempts,
            cached=self.cached,
            first_after=self.first_after,
        )

    def as_message(self) -> Message:
        """Return the answer as the turn that the next request repeats."""
        said = self.text or self.refusal
        return assistant(said, tool_calls=self.tool_calls, reasoning=self.thoughts)
