"""The contract of wire formats: what is said, and why it ended."""

import pytest

from tollkeeper.contracts.chat_wire_suite import BOTH, Caller, ChatWireSuite, asking
from tollkeeper.contracts.chat_wire_upstream import Spoken, Upstream
from tollkeeper.domain.completions import FinishReason
from tollkeeper.domain.errors import CorruptResponse

SCRIPTS = "Grüezi 世界 नमस्ते שלום 🌍👩🏽‍🚀 e\u0301 \u2028 \u0085 \ufeff."
ODD_TEXTS = (
    "data: [DONE]",
    '\n\ndata: {"choices": []}\n\n',
    "\r\n\r\n",
    "event: message_stop",
    '"}]}\\',
    "\\u0000 \x7f \t",
    "<think>not a thought</think>",
)
TEN_MEGABYTES = 10_000_000


class ChatWireAnswers(ChatWireSuite):
    """Texts of all sorts, and reasons."""

    @BOTH
    async def test_a_text_is_answered(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        answer = await caller.ask(asking(upstream.echo), streamed=streamed)
        assert answer.text == "one two three"
        assert answer.finish_reason is FinishReason.STOP
        assert answer.tool_calls == ()
        assert answer.thoughts == ()
        assert answer.warnings == ()
        assert answer.refusal == answer.reasoning == ""
        assert upstream.count == 1
        assert upstream.last.streamed is streamed

    @BOTH
    async def test_every_script_comes_through_unchanged_both_ways(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        answer = await caller.ask(asking(upstream.echo, SCRIPTS), streamed=streamed)
        assert upstream.last.text == SCRIPTS
        assert answer.text == SCRIPTS

    @BOTH
    @pytest.mark.parametrize("scenario", ["every_byte", "one_packet", "crlf", "comments"])
    async def test_a_text_is_whole_however_the_bytes_come(
        self, caller: Caller, upstream: Upstream, scenario: str, streamed: bool
    ) -> None:
        model = upstream.play(scenario)  # type: ignore[arg-type]
        answer = await caller.ask(asking(model, SCRIPTS), streamed=streamed)
        assert answer.text == SCRIPTS
        assert answer.usage is not None

    @BOTH
    async def test_text_that_looks_like_the_format_stays_text(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        model = upstream.play("answered", Spoken(text=ODD_TEXTS))
        answer = await caller.ask(asking(model), streamed=streamed)
        assert answer.text == "".join(ODD_TEXTS)
        assert answer.finish_reason is FinishReason.STOP

    @BOTH
    async def test_a_compressed_answer_is_read(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        answer = await caller.ask(asking(upstream.play("gzipped"), SCRIPTS), streamed=streamed)
        assert answer.text == SCRIPTS

    @BOTH
    async def test_an_answer_of_ten_megabytes_is_read(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        piece = "0123456789abcdef" * 4_096
        text = (piece,) * (TEN_MEGABYTES // len(piece) + 1)
        model = upstream.play("answered", Spoken(text=text))
        answer = await caller.ask(asking(model), streamed=streamed)
        same = answer.text == "".join(text)
        assert same, f"{len(answer.text)} characters came"

    @BOTH
    async def test_an_answer_without_a_word_is_an_answer(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        model = upstream.play("answered", Spoken())
        answer = await caller.ask(asking(model), streamed=streamed)
        assert (answer.text, answer.finish_reason) == ("", FinishReason.STOP)

    @BOTH
    async def test_the_model_that_answered_is_named(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        model = upstream.play("answered", Spoken(text=("Hello.",), model="echo-2001-01-01"))
        answer = await caller.ask(asking(model), streamed=streamed)
        assert upstream.last.model == model
        assert answer.model == "echo-2001-01-01"

    @BOTH
    async def test_what_the_use_cases_add_is_left_to_them(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        answer = await caller.ask(asking(upstream.echo), streamed=streamed)
        assert answer.provenance is None
        assert answer.receipt is None
        assert answer.attempts == ()
        assert answer.provider == ""
        assert not answer.cached

    @BOTH
    async def test_an_answer_that_reaches_its_bound_says_so(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        request = asking(upstream.echo, "one two three four", max_tokens=2)
        answer = await caller.ask(request, streamed=streamed)
        assert (answer.text, answer.finish_reason) == ("one two", FinishReason.LENGTH)

    @BOTH
    @pytest.mark.parametrize("finish", ["length", "content_filter", "paused"])
    async def test_each_reason_is_told_as_the_format_has_it(
        self, caller: Caller, upstream: Upstream, finish: str, streamed: bool
    ) -> None:
        spoken = Spoken(text=("Half ", "an"), finish=FinishReason(finish))
        answer = await caller.ask(asking(upstream.play("answered", spoken)), streamed=streamed)
        assert answer.finish_reason is upstream.heard(spoken).finish_reason
        assert answer.text == "Half an"

    @BOTH
    async def test_a_refusal_is_no_answer_that_stopped(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        spoken = Spoken(refusal="I cannot help with that.", finish=FinishReason.REFUSAL)
        answer = await caller.ask(asking(upstream.play("answered", spoken)), streamed=streamed)
        heard = upstream.heard(spoken)
        assert heard.finish_reason in (FinishReason.REFUSAL, FinishReason.CONTENT_FILTER)
        assert answer.finish_reason is heard.finish_reason
        assert (answer.text, answer.refusal) == (heard.text, heard.refusal)

    @BOTH
    async def test_a_reason_that_nobody_knows_is_not_taken_for_a_stop(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        model = upstream.play("unknown_reason", Spoken(text=("Half ", "an")))
        answer = await caller.ask(asking(model), streamed=streamed)
        assert answer.finish_reason is FinishReason.OTHER
        assert answer.text == "Half an"

    @BOTH
    async def test_an_answer_without_a_reason_is_not_whole(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        model = upstream.play("no_reason", Spoken(text=("Half ", "an")))
        broken = await caller.fail(asking(model), streamed=streamed)
        assert type(broken.error) is CorruptResponse
        assert not streamed or broken.came.text == "Half an"

    @BOTH
    async def test_reasoning_is_told_apart_from_the_text(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        spoken = Spoken(text=("Yes", "."), reasoning=("Let me ", "think 🤔."), signature="c2lnbmVk")
        answer = await caller.ask(asking(upstream.play("answered", spoken)), streamed=streamed)
        assert answer.text == "Yes."
        assert answer.reasoning == upstream.heard(spoken).reasoning

    @BOTH
    async def test_probabilities_are_given_where_the_format_has_them(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        spoken = Spoken(text=("Grü", "ezi."), logprobs=(("Grü", -0.25), ("ezi.", -1.5)))
        answer = await caller.ask(asking(upstream.play("answered", spoken)), streamed=streamed)
        told = [(one.token, one.logprob) for one in answer.logprobs]
        assert told == [(one.token, one.logprob) for one in upstream.heard(spoken).logprobs]
