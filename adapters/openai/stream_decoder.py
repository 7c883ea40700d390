"""A streamed answer, from bytes to deltas. Pure: the network is somebody else's concern."""

from collections.abc import Iterator
from typing import Any

from tollkeeper.adapters.openai.call_numbers import numbered
from tollkeeper.adapters.openai.decoding import (
    Said,
    WireAnswer,
    decode_answer,
    extras_of,
    finish_reason_of,
    first_choice,
    logprobs_of,
    reasoning_of,
    usage_of,
)
from tollkeeper.adapters.openai.dialects import OPENAI, Dialect
from tollkeeper.adapters.openai.faults import ADAPTER, corrupt, provider_error
from tollkeeper.adapters.openai.reasoning import Thoughts
from tollkeeper.adapters.openai.usage import NULL
from tollkeeper.adapters.wire.call_numbers import CallNumbers
from tollkeeper.adapters.wire.faults import ProviderFault
from tollkeeper.adapters.wire.sse import EventSplitter
from tollkeeper.domain.completions import Delta, TokenUsage

_DONE = b"[DONE]"
_SILENT = Said()


class StreamDecoder:
    """Takes the bytes of an answer in, gives its deltas out, however the bytes were cut.

    The usage is held back and given last and once, whether the provider reports it at the end,
    with every chunk, or never; so are the thoughts as the provider wants them back. *warnings*
    go with the first delta.
    """

    def __init__(self, dialect: Dialect = OPENAI, *, warnings: tuple[str, ...] = ()) -> None:
        self._dialect = dialect
        self._warnings = warnings
        self._events = EventSplitter(ADAPTER)
        self._calls = CallNumbers(ADAPTER)
        self._thoughts = Thoughts()
        self._usage: TokenUsage | None = None
        self._told: dict[str, Any] = {}
        self._untold: dict[str, Any] = {}
        self._begun = False
        self._refused = False
        self.finished = False
        """A finish reason was given."""
        self.done = False
        """The provider said that nothing follows."""

    @property
    def whole(self) -> bool:
        """Whether the answer may end here."""
        return self.done or (self.finished and not self._dialect.ends_with_done)

    def feed(self, piece: bytes) -> Iterator[Delta]:
        """Take *piece* in and yield the deltas that it completes.

        Raises:
            CorruptResponse: the bytes break the format.
            TollkeeperError: what the provider itself reports inside the answer.
        """
        return iter(()) if self.done else self._read(self._events.feed(piece))

    def end(self) -> Iterator[Delta]:
        """Say that the bytes ended as they should, and yield what is left.

        Raises:
            CorruptResponse: the answer is not complete.
        """
        if not self.done:
            yield from self._read(self._events.end())
        if not self.finished or not self.whole:
            raise corrupt("the provider's answer ends before it is complete")
        if self._calls.unnamed:
            raise corrupt("the provider's answer calls a tool without naming it")
        yield from self.so_far()

    def so_far(self) -> Iterator[Delta]:
        """Yield what was held back: ask for it before an error is raised."""
        if self.finished and self._dialect.thoughts:
            thoughts, self._thoughts = self._thoughts, Thoughts()
            for thought in thoughts.parts():
                yield Delta(thought=thought)
        if self._usage is not None or self._untold:
            usage, self._usage = self._usage, None
            extras, self._untold = self._untold, {}
            yield Delta(usage=usage, extras=extras)

    def _read(self, events: Iterator[bytes]) -> Iterator[Delta]:
        for data in events:
            if data == _DONE:
                self.done = True
                return
            found = decode_answer(data)
            if isinstance(found, ProviderFault):
                raise provider_error(found, begun=self._begun)
            delta = self._delta(found)
            if delta is not None:
                yield delta

    def _delta(self, answer: WireAnswer) -> Delta | None:
        """Return what *answer* says that is new; None if it says nothing."""
        if answer.usage != NULL or answer.x_groq is not None:
            usage, more = usage_of(answer)
            self._usage = usage if usage is not None else self._usage
            self._untold.update(more)
        choice = first_choice(answer)
        said = _SILENT if choice is None or choice.delta is None else choice.delta
        self._note(extras_of(answer, choice, said))
        if choice is None:
            return None
        reason = None
        if said.refusal:
            self._refused = True
        if choice.finish_reason and not self.finished:  # some providers say it twice
            self.finished = True
            called = self._calls.any or bool(said.tool_calls)
            reason = finish_reason_of(choice.finish_reason, refused=self._refused, called=called)
        text, refusal = said.content or "", said.refusal or ""
        reasoning = reasoning_of(said, self._thoughts)
        calls = numbered(self._calls, said.tool_calls) if said.tool_calls else ()
        if reason is not None and self._calls.any:
            calls += self._calls.missing_ids()
        logprobs = logprobs_of(choice)
        if self._begun and not (text or calls or reason or reasoning or refusal or logprobs):
            return None
        warnings, self._warnings = self._warnings, ()
        extras, self._untold = self._untold, {}
        self._begun = True
        return Delta(
            text,
            calls,
            reasoning,
            refusal,
            reason,
            None,
            answer.model or "",
            None,
            logprobs,
            warnings,
            extras,
        )

    def _note(self, extras: dict[str, Any]) -> None:
        """Keep what was not told yet; lists grow, all else is told again when it changes."""
        for name, value in extras.items():
            if name == "annotations" and isinstance(value, list):
                value = [*self._told.get(name, ()), *value]
            if self._told.get(name) != value:
                self._told[name] = self._untold[name] = value
