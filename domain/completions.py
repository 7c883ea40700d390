"""What a chat model says: deltas, the completion they add up to, and its token usage."""

from collections.abc import Mapping
from enum import StrEnum

from attrs import define, field, frozen

from tollkeeper.domain.chat import ToolCall
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money


class FinishReason(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
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

    def quantities(self) -> dict[Meter, int]:
        """The same, by meter, with the one request that it took."""
        return {
            Meter.REQUESTS: 1,
            Meter.INPUT_TOKENS: self.input,
            Meter.CACHED_INPUT_TOKENS: self.cached_input,
            Meter.CACHE_WRITE_TOKENS: self.cache_write,
            Meter.INPUT_AUDIO_TOKENS: self.input_audio,
            Meter.OUTPUT_TOKENS: self.output,
            Meter.REASONING_TOKENS: self.reasoning,
            Meter.OUTPUT_AUDIO_TOKENS: self.output_audio,
        }

    @property
    def total(self) -> int:
        """All tokens read and written."""
        return sum(self.quantities().values()) - 1


@frozen
class ToolCallDelta:
    """A piece of the *index*-th tool call; *id* and *name* come once, *arguments* in pieces."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@frozen
class Delta:
    """A piece of a streamed answer; what a piece does not carry is empty.

    *usage* comes once, at or after the *finish_reason*, where the provider reports it.
    """

    text: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    reasoning: str = ""
    refusal: str = ""
    finish_reason: FinishReason | None = None
    usage: TokenUsage | None = None
    model: str = ""
    """The model that answers, as the provider names it."""


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

    *receipt* is there once the call was charged; a chat model leaves it None.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    refusal: str = ""
    finish_reason: FinishReason | None = None
    usage: TokenUsage | None = None
    model: str = ""
    receipt: Receipt | None = None


@define
class CompletionBuilder:
    """Adds deltas up to a completion; what came so far is there at any time."""

    _text: list[str] = field(factory=list)
    _reasoning: list[str] = field(factory=list)
    _refusal: list[str] = field(factory=list)
    _tools: dict[int, list[str]] = field(factory=dict)
    finish_reason: FinishReason | None = None
    usage: TokenUsage | None = None
    _model: str = ""

    def add(self, delta: Delta) -> None:
        """Take *delta* in."""
        if delta.text:
            self._text.append(delta.text)
        if delta.reasoning:
            self._reasoning.append(delta.reasoning)
        if delta.refusal:
            self._refusal.append(delta.refusal)
        for piece in delta.tool_calls:
            call = self._tools.setdefault(piece.index, ["", "", ""])
            call[0] = call[0] or piece.id
            call[1] = call[1] or piece.name
            call[2] += piece.arguments
        self.finish_reason = delta.finish_reason or self.finish_reason
        # An explicit report of zero is a report: None and 0 are different things.
        self.usage = delta.usage if delta.usage is not None else self.usage
        self._model = delta.model or self._model

    def build(self) -> Completion:
        """Return what came so far."""
        return Completion(
            text="".join(self._text),
            tool_calls=tuple(ToolCall(*self._tools[index]) for index in sorted(self._tools)),
            reasoning="".join(self._reasoning),
            refusal="".join(self._refusal),
            finish_reason=self.finish_reason,
            usage=self.usage,
            model=self._model,
        )


def as_deltas(completion: Completion) -> tuple[Delta, ...]:
    """Split a whole answer into deltas that add up to it again."""
    calls = tuple(
        ToolCallDelta(index, call.id, call.name, call.arguments)
        for index, call in enumerate(completion.tool_calls)
    )
    return (
        Delta(
            text=completion.text,
            tool_calls=calls,
            reasoning=completion.reasoning,
            refusal=completion.refusal,
            model=completion.model,
        ),
        Delta(finish_reason=completion.finish_reason, usage=completion.usage),
    )
