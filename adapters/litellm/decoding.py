"""What litellm read of an answer, as domain values. Pure."""

import json
from collections.abc import Iterable
from typing import Any

from tollkeeper.adapters.litellm.call_numbers import numbered, whole_call
from tollkeeper.adapters.litellm.faults import ADAPTER, PORT, blocked, corrupt
from tollkeeper.adapters.litellm.reasons import finish_reason_of
from tollkeeper.adapters.litellm.usage import of, pools
from tollkeeper.adapters.litellm.watching import Watched
from tollkeeper.adapters.wire.call_numbers import CallNumbers
from tollkeeper.adapters.wire.faults import ProviderFault, fault_of
from tollkeeper.domain.completions import (
    Completion,
    Delta,
    FinishReason,
    TokenLogprob,
    TokenUsage,
)
from tollkeeper.domain.errors import ContentFiltered


def decode_object(
    body: bytes, *, port: str = PORT
) -> dict[str, Any] | ProviderFault | ContentFiltered:
    """Read the JSON object of a whole answer, or the fault that came in its place.

    Raises:
        CorruptResponse: it is no JSON object.
    """
    try:
        found = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise corrupt("the provider's answer is no JSON", port=port) from None
    if isinstance(found, list) and len(found) == 1 and isinstance(found[0], dict):
        found = found[0]
    if not isinstance(found, dict):
        raise corrupt("the provider's answer is no JSON object", port=port)
    if found.get("error") or found.get("object") == "error":
        return fault_of(found)
    return blocked(found) or found


def decode_completion(
    response: Any, watched: Watched, *, formed: bool = False, warnings: tuple[str, ...] = ()
) -> Completion:
    """Make the completion of litellm's ``ModelResponse``; *watched* saw what it was made from.

    Raises:
        CorruptResponse: it is not a whole answer.
    """
    choice = _first(of(response, "choices"))
    said = of(choice, "message")
    if said is None:
        raise corrupt("the provider's answer holds no choice")
    if not watched.reason:
        raise corrupt("the provider's answer does not say why it ended")
    calls = tuple(whole_call(piece) for piece in of(said, "tool_calls") or ())
    reasoning, refusal = _reasoning(said), _refusal(said, watched)
    if reasoning:
        watched.thoughts.add_text(reasoning)
    return Completion(
        text=_word(of(said, "content")),
        tool_calls=calls,
        reasoning=reasoning,
        refusal=refusal,
        finish_reason=_reason(watched, refusal=bool(refusal), called=bool(calls), formed=formed),
        usage=pools(of(response, "usage")) if watched.usage else None,
        model=watched.model or _word(of(response, "model")),
        thoughts=watched.thoughts.parts(),
        logprobs=tuple(_logprobs(of(choice, "logprobs"))),
        warnings=warnings,
        extras=dict(watched.extras),
    )


class ChunkDecoder:
    """Turns litellm's chunks into deltas; *watched* sees what they were made from.

    The reason why the answer ended, its thoughts and its usage are held back to its end.
    """

    def __init__(
        self, watched: Watched, *, formed: bool = False, warnings: tuple[str, ...] = ()
    ) -> None:
        self._watched = watched
        self._formed = formed
        self._warnings = warnings
        self._calls = CallNumbers(ADAPTER)
        self._usage: TokenUsage | None = None
        self._refused = False
        self._model = ""

    def feed(self, chunk: Any) -> Delta | None:
        """Return what *chunk* says that is new; None if it says nothing.

        Raises:
            CorruptResponse: it numbers a tool call below 0.
        """
        if chunk is None:
            return None
        if of(chunk, "usage") is not None and self._watched.usage:
            self._usage = pools(of(chunk, "usage")) or self._usage
        if isinstance(chunk, dict):
            delta = self._generic(chunk)
        else:
            choice = _first(of(chunk, "choices"))
            delta = None if choice is None else self._said(chunk, choice)
        return delta

    def _generic(self, chunk: dict[str, Any]) -> Delta | None:
        tool = chunk.get("tool_use")
        calls = numbered(self._calls, [tool]) if tool else ()
        return self._delta(text=_word(chunk.get("text")), tool_calls=calls)

    def _said(self, chunk: Any, choice: Any) -> Delta | None:
        said = of(choice, "delta")
        reasoning, refusal = _reasoning(said), _refusal(said, self._watched)
        if reasoning:
            self._watched.thoughts.add_text(reasoning)
        self._refused = self._refused or bool(refusal)
        return self._delta(
            text=_word(of(said, "content")),
            tool_calls=numbered(self._calls, of(said, "tool_calls") or ()),
            reasoning=reasoning,
            refusal=refusal,
            logprobs=tuple(_logprobs(of(choice, "logprobs"))),
        )

    def _delta(self, **said: Any) -> Delta | None:
        if not any(said.values()):
            return None
        warnings, self._warnings = self._warnings, ()
        model, self._model = self._watched.model, self._watched.model
        return Delta(**said, model=model, warnings=warnings)

    def end(self) -> Iterable[Delta]:
        """Say that the answer is whole, and yield what was held back.

        Raises:
            CorruptResponse: it is not: it does not say why it ended, or a call has no name.
        """
        if self._usage is None and self._watched.aside is not None:
            self._usage = pools(self._watched.aside)
        if not self._watched.reason:
            raise corrupt("the provider's answer ends before it is complete")
        if self._calls.unnamed:
            raise corrupt("the provider's answer calls a tool without naming it")
        for thought in self._watched.thoughts.parts():
            yield Delta(thought=thought)
        warnings, self._warnings = self._warnings, ()
        usage, self._usage = self._usage, None
        yield Delta(
            tool_calls=self._calls.missing_ids(),
            finish_reason=_reason(
                self._watched, refusal=self._refused, called=self._calls.any, formed=self._formed
            ),
            usage=usage,
            model=self._watched.model,
            warnings=warnings,
            extras=dict(self._watched.extras),
        )

    def so_far(self) -> Iterable[Delta]:
        """Yield the usage that was reported before an error, which it does not undo."""
        if self._usage is not None:
            usage, self._usage = self._usage, None
            yield Delta(usage=usage, extras=dict(self._watched.extras))


def _reason(watched: Watched, *, refusal: bool, called: bool, formed: bool) -> FinishReason:
    return finish_reason_of(
        watched.reason, native=watched.native, refused=refusal, called=called, formed=formed
    )


def _reasoning(said: Any) -> str:
    return _word(of(said, "reasoning_content")) or _word(of(said, "reasoning"))


def _refusal(said: Any, watched: Watched) -> str:
    """Return the refusal in the model's own words; litellm makes one of Anthropic's details."""
    return "" if "stop_details" in watched.extras else _word(of(said, "refusal"))


def _first(choices: Any) -> Any:
    return choices[0] if isinstance(choices, list) and choices else None


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _logprobs(found: Any) -> Iterable[TokenLogprob]:
    content = of(found, "content")
    for each in content if isinstance(content, list) else ():
        token, logprob = of(each, "token"), of(each, "logprob")
        if not isinstance(token, str) or not isinstance(logprob, int | float):
            continue
        rivals = ((of(top, "token"), of(top, "logprob")) for top in of(each, "top_logprobs") or ())
        top = tuple(
            (rival, float(chance))
            for rival, chance in rivals
            if isinstance(rival, str) and isinstance(chance, int | float)
        )
        yield TokenLogprob(token, float(logprob), top)
