"""The contract of wire formats: a call that is cancelled shows no key, whoever looks."""

import asyncio
import select
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from tollkeeper.contracts.chat_wire_keys import credential
from tollkeeper.contracts.chat_wire_suite import (
    ANOTHER_KEY,
    BOTH,
    KEY,
    Caller,
    ChatWireSuite,
    Opened,
    asking,
    assert_shows_nothing,
)
from tollkeeper.contracts.chat_wire_upstream import Scenario, Upstream
from tollkeeper.domain.chat import ChatRequest

Call = Callable[[], Awaitable[None]]
PATIENCE = 60.0  # some SDKs take long to load on a busy machine
STEPS = 60
_MORE_THAN_IS_BUFFERED = 300_000
OWNERS = pytest.mark.parametrize("own", [True, False], ids=["own", "of_the_call"])
MOMENTS: dict[str, tuple[Scenario, Mapping[str, Any]]] = {
    "before_the_head": ("at_once", {"ending": "stall"}),
    "after_the_head": ("breaks", {"ending": "stall", "k": 0}),
    "midway": ("breaks", {"ending": "stall", "k": 2}),
}
AT_EACH_MOMENT = pytest.mark.parametrize("moment", MOMENTS)


class ChatWireCancelled(ChatWireSuite):
    """What a cancellation carries out of an adapter: no frame, no cause that holds a key."""

    @BOTH
    @OWNERS
    @AT_EACH_MOMENT
    async def test_a_cancelled_call_shows_no_key(
        self, caller: Caller, upstream: Upstream, moment: str, own: bool, streamed: bool
    ) -> None:
        call = self._call(caller, upstream, moment, own=own, streamed=streamed)
        raised = await _cancelled(call, _arrival(upstream))
        assert isinstance(raised, asyncio.CancelledError)
        assert_shows_nothing(raised, KEY, ANOTHER_KEY)

    @BOTH
    @AT_EACH_MOMENT
    async def test_a_call_that_its_caller_gives_up_shows_no_key(
        self, caller: Caller, upstream: Upstream, moment: str, streamed: bool
    ) -> None:
        call = self._call(caller, upstream, moment, own=False, streamed=streamed)
        with pytest.raises(TimeoutError) as raised:
            await _given_up(call, _arrival(upstream))
        assert_shows_nothing(raised.value, KEY, ANOTHER_KEY)

    @BOTH
    async def test_a_call_shows_no_key_at_whichever_step_it_is_cancelled(
        self, caller: Caller, upstream: Upstream, streamed: bool
    ) -> None:
        request, given = asking(upstream.echo), credential(upstream)
        for _ in range(2):  # the second time with connections, and an SDK, that are there
            for count in range(STEPS):
                raised = await _cancelled(
                    lambda: _asked(caller, request, streamed=streamed, credential=given),
                    _steps(count),
                )
                if raised is not None:
                    assert isinstance(raised, asyncio.CancelledError), f"at step {count}"
                    assert_shows_nothing(raised, KEY, ANOTHER_KEY)
            await caller.ask(request, streamed=streamed)

    @BOTH
    async def test_a_call_that_is_cancelled_while_it_is_sent_shows_no_key(
        self, opened: Opened, upstream: Upstream, deaf: socket.socket, streamed: bool
    ) -> None:
        place = f"http://127.0.0.1:{deaf.getsockname()[1]}{urlsplit(upstream.base_url).path}"
        caller = Caller(await opened(base_url=place), upstream.secret_words)
        request = asking(upstream.echo, "a long story " * _MORE_THAN_IS_BUFFERED)

        async def sent() -> None:
            await asyncio.to_thread(select.select, [deaf], [], [], PATIENCE)
            await asyncio.sleep(0.1)

        raised = await _cancelled(lambda: _asked(caller, request, streamed=streamed), sent())
        assert isinstance(raised, asyncio.CancelledError)
        assert_shows_nothing(raised, KEY)

    @pytest.fixture
    def deaf(self) -> Iterator[socket.socket]:
        """Give a server that takes a connection, and never reads what is sent on it."""
        with socket.socket() as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            yield listening

    def _call(
        self, caller: Caller, upstream: Upstream, moment: str, *, own: bool, streamed: bool
    ) -> Call:
        scenario, how = MOMENTS[moment]
        request = asking(upstream.play(scenario, **how))
        given = None if own else credential(upstream)
        return lambda: _asked(caller, request, streamed=streamed, credential=given)


async def _asked(caller: Caller, request: ChatRequest, *, streamed: bool, **more: Any) -> None:
    # No timeout of the suite around it: it would turn a cancellation into an error of its own.
    if streamed:
        await caller.deltas(request, **more)
    else:
        await caller.chat_model.complete(request, **more)


async def _arrival(upstream: Upstream) -> None:
    """Wait until the server has the request, and has sent what it sends."""
    async with asyncio.timeout(PATIENCE):
        while not upstream.count:
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.05)


async def _given_up(call: Call, moment: Coroutine[Any, Any, None]) -> None:
    """Let the time for *call* be over at its *moment*."""
    async with asyncio.timeout(None) as limit:

        async def give_up() -> None:
            await moment
            limit.reschedule(0.0)

        giving_up = asyncio.create_task(give_up())
        try:
            await call()
        finally:
            giving_up.cancel()


async def _steps(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _cancelled(call: Call, moment: Coroutine[Any, Any, None]) -> BaseException | None:
    """Cancel *call* at its *moment*, and return what then came out of the adapter."""
    raised: list[BaseException] = []

    async def watched() -> None:
        try:
            await call()
        except BaseException as error:
            raised.append(error)
            raise

    task, come = asyncio.create_task(watched()), asyncio.create_task(moment)
    await asyncio.wait([task, come], return_when=asyncio.FIRST_COMPLETED)
    for each in (come, task):
        each.cancel()
    await asyncio.wait([task, come], timeout=PATIENCE)
    return raised[0] if raised else None
