"""The contract of wire formats: answers that break off are errors, and what came is kept."""

import asyncio
import time

import pytest

from tollkeeper.contracts.chat_wire_suite import (
    BOTH,
    IMPATIENT,
    Broken,
    Caller,
    ChatWireSuite,
    asking,
)
from tollkeeper.contracts.chat_wire_upstream import Spoken, SpokenCall, Upstream
from tollkeeper.domain.completions import FinishReason
from tollkeeper.domain.errors import CorruptResponse, Timeout, Unavailable

TEXT = Spoken(text=("alpha ", "beta ", "gamma"))
CALL = Spoken(
    calls=(SpokenCall("call_a", "get_weather", ('{"city": ', '"Bern"', "}")),),
    finish=FinishReason.TOOL_CALLS,
)
BREAKS = pytest.mark.parametrize("ending", ["cut", "reset"])


class ChatWireBreaks(ChatWireSuite):
    """Every place at which an answer can end too early."""

    async def _broken(
        self, caller: Caller, upstream: Upstream, ending: str, spoken: Spoken
    ) -> list[Broken]:
        """Break a stream off after each of its events but the last, all at once."""

        async def after(k: int) -> Broken:
            model = upstream.play("breaks", spoken, ending=ending, k=k)
            try:
                return await caller.fail(asking(model), streamed=True)
            except BaseException as error:
                error.add_note(f"{ending} after {k} of {upstream.events(spoken)} events")
                raise

        return await asyncio.gather(*map(after, range(upstream.events(spoken))))

    async def test_a_clean_end_before_the_terminal_event_is_an_error_wherever_it_is(
        self, caller: Caller, upstream: Upstream
    ) -> None:
        for k, broken in enumerate(await self._broken(caller, upstream, "whole", TEXT)):
            assert type(broken.error) is CorruptResponse, f"after {k} events"
            assert broken.came.text == upstream.text_within(TEXT, k), f"after {k} events"

    @BREAKS
    async def test_a_stream_that_breaks_is_an_error_wherever_it_breaks(
        self, caller: Caller, upstream: Upstream, ending: str
    ) -> None:
        for k, broken in enumerate(await self._broken(caller, upstream, ending, TEXT)):
            assert type(broken.error) is Unavailable, f"after {k} events"
            assert broken.port_error.ambiguous, f"after {k} events"
            assert broken.came.text == upstream.text_within(TEXT, k), f"after {k} events"

    @pytest.mark.parametrize("ending", ["whole", "cut"])
    async def test_a_call_that_breaks_off_is_never_taken_for_whole(
        self, caller: Caller, upstream: Upstream, ending: str
    ) -> None:
        for k, broken in enumerate(await self._broken(caller, upstream, ending, CALL)):
            assert type(broken.error) in (CorruptResponse, Unavailable), f"after {k} events"
            (called,) = CALL.calls
            for call in broken.came.tool_calls:
                assert called.whole.startswith(call.arguments), f"after {k} events"

    @pytest.mark.parametrize("ending", ["whole", "cut", "reset"])
    async def test_a_whole_answer_that_breaks_off_is_an_error(
        self, caller: Caller, upstream: Upstream, ending: str
    ) -> None:
        model = upstream.play("breaks", TEXT, ending=ending)
        broken = await caller.fail(asking(model), streamed=False)
        expected = CorruptResponse if ending == "whole" else Unavailable
        assert type(broken.error) is expected
        assert broken.port_error.ambiguous or ending == "whole"

    @BOTH
    @BREAKS
    async def test_a_connection_that_breaks_before_the_head_is_an_ambiguous_failure(
        self, caller: Caller, upstream: Upstream, ending: str, streamed: bool
    ) -> None:
        model = upstream.play("at_once", ending=ending)
        broken = await caller.fail(asking(model), streamed=streamed)
        assert type(broken.error) is Unavailable
        assert broken.port_error.ambiguous
        assert upstream.count == 1, "one call is one request"

    @BOTH
    async def test_a_server_that_says_nothing_is_given_up_in_time(
        self, impatient: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        model = upstream.play("at_once", ending="stall")
        broken = await self._in_time(impatient, model, streamed=streamed)
        assert broken.port_error.ambiguous
        assert await upstream.left(model)

    async def test_a_stream_that_stalls_anywhere_is_given_up_and_keeps_what_came(
        self, impatient: Caller, upstream: Upstream
    ) -> None:
        async def after(k: int) -> None:
            model = upstream.play("breaks", TEXT, ending="stall", k=k)
            broken = await self._in_time(impatient, model, streamed=True)
            assert broken.port_error.ambiguous, f"after {k} events"
            assert broken.came.text == upstream.text_within(TEXT, k), f"after {k} events"
            assert await upstream.left(model), f"after {k} events"

        await asyncio.gather(*map(after, range(upstream.events(TEXT))))

    async def test_a_whole_answer_that_stalls_is_given_up_in_time(
        self, impatient: Caller, upstream: Upstream
    ) -> None:
        model = upstream.play("breaks", TEXT, ending="stall")
        broken = await self._in_time(impatient, model, streamed=False)
        assert broken.port_error.ambiguous
        assert await upstream.left(model)

    @BOTH
    async def test_a_head_that_comes_late_but_in_time_is_waited_for(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        model = upstream.play("slow_headers", TEXT, seconds=0.15)
        assert (await caller.ask(asking(model), streamed=streamed)).text == TEXT.whole_text

    @BOTH
    async def test_a_head_that_comes_too_late_is_not_waited_for(
        self, impatient: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        model = upstream.play("slow_headers", TEXT, seconds=5.0)
        await self._in_time(impatient, model, streamed=streamed)

    async def _in_time(self, impatient: Caller, model: str, *, streamed: bool) -> Broken:
        began = time.monotonic()
        broken = await impatient.fail(asking(model), streamed=streamed)
        assert type(broken.error) is Timeout
        assert time.monotonic() - began < 10 * IMPATIENT.total_seconds()
        return broken
