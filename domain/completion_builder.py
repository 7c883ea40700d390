"""Adding the pieces of an answer up to a completion, and taking a completion apart again."""

from typing import Any

from attrs import define, field

from tollkeeper.domain.completions import (
    Completion,
    Delta,
    FinishReason,
    TokenLogprob,
    TokenUsage,
    ToolCallDelta,
)
from tollkeeper.domain.messages import ReasoningPart, ToolCall
from tollkeeper.domain.meters import Provenance


@define
class _CallSoFar:
    """The pieces of one tool call; joined at the end, for there may be ten thousand."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(factory=list)
    signature: list[str] = field(factory=list)

    def add(self, piece: ToolCallDelta) -> None:
        """Take *piece* in."""
        self.id = self.id or piece.id
        self.name = self.name or piece.name
        if piece.arguments:
            self.arguments.append(piece.arguments)
        if piece.signature:
            self.signature.append(piece.signature)

    def build(self) -> ToolCall:
        """Return what came so far."""
        return ToolCall(self.id, self.name, "".join(self.arguments), "".join(self.signature))


@define
class CompletionBuilder:
    """Adds deltas up to a completion; what came so far is there at any time."""

    _text: list[str] = field(factory=list)
    _reasoning: list[str] = field(factory=list)
    _refusal: list[str] = field(factory=list)
    _tools: dict[int, _CallSoFar] = field(factory=dict)
    finish_reason: FinishReason | None = None
    usage: TokenUsage | None = None
    provenance: Provenance | None = None
    _model: str = ""
    _thoughts: list[ReasoningPart] = field(factory=list)
    _logprobs: list[TokenLogprob] = field(factory=list)
    _warnings: list[str] = field(factory=list)
    _extras: dict[str, Any] = field(factory=dict)

    def add(self, delta: Delta) -> None:
        """Take *delta* in."""
        if delta.text:
            self._text.append(delta.text)
        if delta.reasoning:
            self._reasoning.append(delta.reasoning)
        if delta.refusal:
            self._refusal.append(delta.refusal)
        for piece in delta.tool_calls:
            call = self._tools.get(piece.index)
            if call is None:
                call = self._tools[piece.index] = _CallSoFar()
            call.add(piece)
        if delta.finish_reason:
            self.finish_reason = delta.finish_reason
        # An explicit report of zero is a report: None and 0 are different things.
        if delta.usage is not None:
            self.usage = delta.usage
        if delta.provenance:
            self.provenance = delta.provenance
        if delta.model:
            self._model = delta.model
        if delta.thought is not None:
            self._thoughts.append(delta.thought)
        if delta.logprobs:
            self._logprobs.extend(delta.logprobs)
        if delta.warnings:
            self._warnings.extend(delta.warnings)
        if delta.extras:
            self._extras.update(delta.extras)

    def build(self) -> Completion:
        """Return what came so far."""
        return Completion(
            text="".join(self._text),
            tool_calls=tuple(self._tools[index].build() for index in sorted(self._tools)),
            reasoning="".join(self._reasoning),
            refusal="".join(self._refusal),
            finish_reason=self.finish_reason,
            usage=self.usage,
            model=self._model,
            thoughts=tuple(self._thoughts),
            logprobs=tuple(self._logprobs),
            warnings=tuple(self._warnings),
            extras=dict(self._extras),
            provenance=self.provenance,
        )


def as_deltas(completion: Completion) -> tuple[Delta, ...]:
    """Split a whole answer into deltas that add up to it again."""
    calls = tuple(
        ToolCallDelta(index, call.id, call.name, call.arguments, call.signature)
        for index, call in enumerate(completion.tool_calls)
    )
    return (
        Delta(
            text=completion.text,
            tool_calls=calls,
            reasoning=completion.reasoning,
            refusal=completion.refusal,
            model=completion.model,
            logprobs=completion.logprobs,
            warnings=completion.warnings,
            extras=completion.extras,
        ),
        *(Delta(thought=thought) for thought in completion.thoughts),
        Delta(
            finish_reason=completion.finish_reason,
            usage=completion.usage,
            provenance=completion.provenance,
        ),
    )
