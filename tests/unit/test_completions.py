"""Deltas add up to the completion, in whatever pieces they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.completions import (
    Completion,
    CompletionBuilder,
    Delta,
    FinishReason,
    TokenUsage,
    ToolCallDelta,
    as_deltas,
)
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.messages import ToolCall
from tollkeeper.domain.meters import Meter

COUNTS = st.integers(0, 10**6)
USAGES = st.builds(TokenUsage, *[COUNTS] * 7)
TEXTS = st.text(max_size=20)
NAMES = st.text(min_size=1, max_size=8)
COMPLETIONS = st.builds(
    Completion,
    text=TEXTS,
    tool_calls=st.lists(st.builds(ToolCall, NAMES, NAMES, TEXTS), max_size=4).map(tuple),
    reasoning=TEXTS,
    refusal=TEXTS,
    finish_reason=st.none() | st.sampled_from(FinishReason),
    usage=st.none() | USAGES,
    model=TEXTS,
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
        queues.append(queue)
    deltas = []
    while any(queues):
        deltas.append(draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    at = draw(st.integers(0, len(deltas)))
    deltas.insert(at, Delta(model=whole.model))
    end = [Delta(finish_reason=whole.finish_reason), Delta(usage=whole.usage)]
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


@given(USAGES)
def test_usage_by_meter_adds_up_to_the_total_and_one_request(usage: TokenUsage) -> None:
    quantities = usage.quantities()
    assert quantities.pop(Meter.REQUESTS) == 1
    assert sum(quantities.values()) == usage.total
    assert len(quantities) == 7


@pytest.mark.parametrize("count", [-1, 1.0, True, "1", None], ids=repr)
def test_a_count_is_whole_and_not_negative(count: int) -> None:
    for name in ("input", "output", "cached_input", "cache_write", "reasoning", "input_audio"):
        with pytest.raises(InvalidRequest) as refused:
            TokenUsage(**{name: count})
        assert refused.value.code == "invalid_usage"
