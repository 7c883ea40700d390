"""Deltas add up to the completion, in whatever pieces they come."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.completion_builder import CompletionBuilder, as_deltas
from tollkeeper.domain.completions import (
    Completion,
    Delta,
    FinishReason,
    TokenLogprob,
    TokenUsage,
    ToolCallDelta,
)
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.messages import ReasoningPart, ToolCall
from tollkeeper.domain.meters import Meter, Provenance

COUNTS = st.integers(0, 10**6)
USAGES = st.builds(TokenUsage, *[COUNTS] * len(attrs.fields(TokenUsage)))
TEXTS = st.text(max_size=20)
NAMES = st.text(min_size=1, max_size=8)
LOGARITHMS = st.floats(max_value=0, allow_nan=False)
RIVALS = st.lists(st.tuples(TEXTS, LOGARITHMS), max_size=2).map(tuple)
LOGPROBS = st.builds(TokenLogprob, TEXTS, LOGARITHMS, RIVALS)
COMPLETIONS = st.builds(
    Completion,
    text=TEXTS,
    tool_calls=st.lists(st.builds(ToolCall, NAMES, NAMES, TEXTS, TEXTS), max_size=4).map(tuple),
    reasoning=TEXTS,
    refusal=TEXTS,
    finish_reason=st.none() | st.sampled_from(FinishReason),
    usage=st.none() | USAGES,
    model=TEXTS,
    thoughts=st.lists(st.builds(ReasoningPart, TEXTS, TEXTS, TEXTS), max_size=3).map(tuple),
    logprobs=st.lists(LOGPROBS, max_size=3).map(tuple),
    warnings=st.lists(TEXTS, max_size=3).map(tuple),
    extras=st.dictionaries(NAMES, st.none() | TEXTS | st.lists(COUNTS, max_size=2), max_size=3),
    provenance=st.none() | st.sampled_from(Provenance),
)


def built(*deltas: Delta) -> Completion:
    builder = CompletionBuilder()
    for delta in deltas:
        builder.add(delta)
    return builder.build()


@given(COMPLETIONS)
def test_a_completion_split_into_deltas_adds_up_again(completion: Completion) -> None:
    assert built(*as_deltas(completion)) == completion


def pieces_of(text: str, draw: st.DrawFn) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@st.composite
def interleaved(draw: st.DrawFn) -> tuple[Completion, list[Delta]]:
    """Give a completion, and its text and tool calls in pieces, mixed in any order."""
    whole = draw(COMPLETIONS)
    queues = [
        [Delta(text=piece) for piece in pieces_of(whole.text, draw)],
        [Delta(reasoning=piece) for piece in pieces_of(whole.reasoning, draw)],
        [Delta(refusal=piece) for piece in pieces_of(whole.refusal, draw)],
    ]
    for index, call in enumerate(whole.tool_calls):
        first, *rest = pieces_of(call.arguments, draw)
        queue = [Delta(tool_calls=(ToolCallDelta(index, call.id, call.name, first),))]
        queue += [Delta(tool_calls=(ToolCallDelta(index, arguments=more),)) for more in rest]
        signature = pieces_of(call.signature, draw)
        queue += [Delta(tool_calls=(ToolCallDelta(index, signature=more),)) for more in signature]
        queues.append(queue)
    queues.append([Delta(thought=thought) for thought in whole.thoughts])
    queues.append([Delta(logprobs=(token,)) for token in whole.logprobs])
    queues.append([Delta(warnings=(warning,)) for warning in whole.warnings])
    queues.append([Delta(extras={name: value}) for name, value in whole.extras.items()])
    deltas = []
    while any(queues):
        deltas.append(draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    at = draw(st.integers(0, len(deltas)))
    deltas.insert(at, Delta(model=whole.model))
    end = [
        Delta(finish_reason=whole.finish_reason),
        Delta(usage=whole.usage, provenance=whole.provenance),
    ]
    return whole, [*deltas, *end, Delta()]


@given(interleaved())
def test_interleaved_pieces_of_text_and_tool_calls_add_up(
    told: tuple[Completion, list[Delta]],
) -> None:
    whole, deltas = told
    assert built(*deltas) == whole


def test_pieces_of_two_tool_calls_in_one_delta_are_kept_apart() -> None:
    first, second = ToolCallDelta(1, "b", "g", '{"y"'), ToolCallDelta(0, "a", "f", '{"x"')
    more = (ToolCallDelta(0, arguments=": 1}"), ToolCallDelta(1, arguments=": 2}"))
    completion = built(Delta(tool_calls=(first, second)), Delta(tool_calls=more))
    assert completion.tool_calls == (
        ToolCall("a", "f", '{"x": 1}'),
        ToolCall("b", "g", '{"y": 2}'),
    )


def test_an_id_and_a_name_that_are_repeated_count_once() -> None:
    piece = ToolCallDelta(0, "a", "f", "1")
    assert built(Delta(tool_calls=(piece,)), Delta(tool_calls=(piece,))).tool_calls == (
        ToolCall("a", "f", "11"),
    )


def test_what_came_so_far_is_there_at_any_time() -> None:
    builder = CompletionBuilder()
    assert builder.build() == Completion()
    builder.add(Delta(text="Hel"))
    assert builder.build().text == "Hel"
    builder.add(Delta(text="lo", finish_reason=FinishReason.STOP))
    assert builder.build() == Completion(text="Hello", finish_reason=FinishReason.STOP)
    assert builder.build() == builder.build()


def test_a_report_of_zero_is_a_report() -> None:
    assert built(Delta(text="x")).usage is None
    assert built(Delta(usage=TokenUsage())).usage == TokenUsage()
    assert built(Delta(usage=TokenUsage(input=5)), Delta(usage=TokenUsage())).usage == TokenUsage()


def test_a_delta_without_a_reason_does_not_forget_one() -> None:
    completion = built(Delta(finish_reason=FinishReason.LENGTH), Delta(usage=TokenUsage(input=1)))
    assert completion.finish_reason is FinishReason.LENGTH


def test_thoughts_and_their_streamed_text_are_kept_apart() -> None:
    thought = ReasoningPart("Let me see.", "signed")
    completion = built(
        Delta(reasoning="Let me "),
        Delta(reasoning="see."),
        Delta(thought=thought),
        Delta(thought=ReasoningPart(redacted="xyz")),
    )
    assert completion.reasoning == "Let me see."
    assert completion.thoughts == (thought, ReasoningPart(redacted="xyz"))


def test_the_latest_word_on_an_extra_counts_and_every_warning() -> None:
    first = Delta(extras={"id": "a", "tier": "default"}, warnings=("top_k was dropped",))
    second = Delta(extras={"tier": "flex"}, warnings=("seed was dropped",))
    completion = built(first, second)
    assert completion.extras == {"id": "a", "tier": "flex"}
    assert completion.warnings == ("top_k was dropped", "seed was dropped")
    assert first.extras == {"id": "a", "tier": "default"}


def test_what_was_built_is_not_changed_by_what_comes_later() -> None:
    builder = CompletionBuilder()
    builder.add(Delta(extras={"a": 1}, tool_calls=(ToolCallDelta(0, "a", "f", "{"),)))
    before = builder.build()
    builder.add(Delta(extras={"b": 2}, tool_calls=(ToolCallDelta(0, arguments="}"),)))
    assert (before.extras, before.tool_calls[0].arguments) == ({"a": 1}, "{")
    assert builder.build().tool_calls[0].arguments == "{}"


def test_what_the_use_cases_say_is_none_of_the_builders() -> None:
    completion = built(Delta(text="x"))
    assert (completion.provider, completion.attempts, completion.receipt) == ("", (), None)
    assert (completion.cached, completion.first_after) == (False, None)


@given(USAGES)
def test_usage_by_meter_adds_up_to_the_total_and_one_request(usage: TokenUsage) -> None:
    quantities = dict(usage.quantities())
    assert quantities.pop(Meter.REQUESTS) == 1
    assert sum(quantities.values()) == usage.total
    assert len(quantities) == len(attrs.fields(TokenUsage))


@pytest.mark.parametrize("count", [-1, 1.0, True, "1", None], ids=repr)
def test_a_count_is_whole_and_not_negative(count: int) -> None:
    for name in ("input", "output", "cached_input", "cache_write", "reasoning", "input_audio"):
        with pytest.raises(InvalidRequest) as refused:
            TokenUsage(**{name: count})
        assert refused.value.code == "invalid_usage"
