"""The contract of wire formats: tokens, each in one pool."""

import attrs
import pytest

from tollkeeper.contracts.chat_wire_suite import BOTH, Caller, ChatWireSuite, asking
from tollkeeper.contracts.chat_wire_upstream import Spoken, SpokenCall, Upstream
from tollkeeper.domain.completions import FinishReason, TokenUsage

TEXT = ("one ", "two ", "three")
REPORTS = {
    "plain": TokenUsage(input=9, output=7),
    "cached": TokenUsage(input=9, output=7, cached_input=900),
    "cache-write": TokenUsage(input=9, output=7, cache_write=200),
    "cached-and-written": TokenUsage(input=9, output=7, cached_input=900, cache_write=200),
    "reasoning": TokenUsage(input=9, output=7, reasoning=60),
    "everything": TokenUsage(input=9, output=7, cached_input=900, cache_write=200, reasoning=60),
    "large": TokenUsage(input=2**40, output=2**41, cached_input=2**42),
    "all-cached": TokenUsage(cached_input=900, output=1),
}


class ChatWireUsage(ChatWireSuite):
    """What the provider reports is told once, and nothing is made up."""

    @BOTH
    @pytest.mark.parametrize("report", REPORTS)
    async def test_usage_is_told_in_pools_of_which_none_holds_another(
        self, caller: Caller, upstream: Upstream, report: str, streamed: bool
    ) -> None:
        spoken = Spoken(text=TEXT, usage=REPORTS[report])
        answer = await caller.ask(asking(upstream.play("answered", spoken)), streamed=streamed)
        assert answer.usage == upstream.heard(spoken).usage
        assert answer.usage is not None
        assert answer.usage.total == REPORTS[report].total

    @BOTH
    async def test_usage_that_is_not_reported_is_not_made_up(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        model = upstream.play("answered", Spoken(text=TEXT, usage=None))
        answer = await caller.ask(asking(model), streamed=streamed)
        assert answer.usage is None
        assert answer.text == "one two three"

    @BOTH
    async def test_usage_of_zero_is_a_report(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        model = upstream.play("answered", Spoken(usage=TokenUsage()))
        answer = await caller.ask(asking(model), streamed=streamed)
        assert answer.usage == TokenUsage()

    async def test_usage_comes_once_and_last(self, caller: Caller, upstream: Upstream) -> None:
        spoken = Spoken(text=TEXT)
        deltas = await caller.deltas(asking(upstream.play("answered", spoken)))
        assert [delta.usage for delta in deltas if delta.usage is not None] == [
            upstream.heard(spoken).usage
        ]
        assert deltas[-1].usage is not None

    async def test_usage_that_is_reported_all_along_is_told_once(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        spoken = Spoken(text=TEXT)
        deltas = await caller.deltas(asking(upstream.play("usage_everywhere", spoken)))
        assert [delta.usage for delta in deltas if delta.usage is not None] == [
            upstream.heard(spoken).usage
        ]

    @BOTH
    async def test_the_usage_of_a_call_of_a_tool_is_told(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        spoken = Spoken(
            calls=(SpokenCall("call_a", "get_weather"),), finish=FinishReason.TOOL_CALLS
        )
        answer = await caller.ask(asking(upstream.play("answered", spoken)), streamed=streamed)
        assert answer.usage == upstream.heard(spoken).usage

    @BOTH
    async def test_the_usage_of_an_answer_that_was_stopped_is_told(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        for finish in (FinishReason.LENGTH, FinishReason.CONTENT_FILTER, FinishReason.REFUSAL):
            spoken = Spoken(text=TEXT, finish=finish)
            model = upstream.play("answered", spoken)
            answer = await caller.ask(asking(model), streamed=streamed)
            assert answer.usage == upstream.heard(spoken).usage, finish

    async def test_a_whole_answer_and_a_streamed_one_count_the_same(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        spoken = Spoken(text=TEXT, usage=REPORTS["everything"])
        model = upstream.play("answered", spoken)
        whole = await caller.ask(asking(model), streamed=False)
        streamed = await caller.ask(asking(model), streamed=True)
        assert attrs.asdict(whole.usage or TokenUsage()) == attrs.asdict(
            streamed.usage or TokenUsage()
        )
