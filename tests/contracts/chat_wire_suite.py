"""How the suite of wire formats asks, and looks at what went wrong."""

import asyncio
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
from attrs import define, field, frozen

from tollkeeper.contracts.chat_calls import added_up
from tollkeeper.contracts.chat_wire_upstream import Connect, Failure, Upstream
from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.chat import ChatRequest
from tollkeeper.domain.completions import Completion, Delta
from tollkeeper.domain.errors import PortError, TollkeeperError
from tollkeeper.domain.messages import user
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.chat_model import ChatModel

KEY = "wire-contract-key-that-nobody-sees"
ANOTHER_KEY = "wire-contract-key-of-another-tenant"
IMPATIENT = timedelta(seconds=0.2)
_HANGS = 60.0  # some SDKs take long to load on a busy machine
BOTH = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
Opened = Callable[..., Awaitable[ChatModel]]
T = TypeVar("T")


def asking(model: str, text: str = "one two three", **more: Any) -> ChatRequest:
    """Ask *model* to say *text* again."""
    return ChatRequest(model, (user(text),), **{"max_tokens": 2_048, **more})


@frozen
class Broken:
    """How a call failed, and what came before."""

    error: TollkeeperError
    came: Completion
    """What the deltas before the error add up to."""

    @property
    def port_error(self) -> PortError:
        """The error, which must be one of a port."""
        assert isinstance(self.error, PortError), repr(self.error)
        return self.error


@define
class Caller:
    """Asks one chat model, and hides nothing of what it answers."""

    chat_model: ChatModel
    secret_words: str = field(repr=False)

    async def deltas(self, request: ChatRequest, **more: Any) -> list[Delta]:
        """Read a stream to its end."""
        return [delta async for delta in self.chat_model.stream(request, **more)]

    async def ask(self, request: ChatRequest, *, streamed: bool, **more: Any) -> Completion:
        """Return the answer; a call that hangs fails the test."""
        try:
            if not streamed:
                return await _within(self.chat_model.complete(request, **more))
            return added_up(await _within(self.deltas(request, **more)))
        except TollkeeperError as error:
            code = getattr(error, "status", None), getattr(error, "provider_code", "")
            error.add_note(f"{error.code} {code}, caused by {error.__cause__!r}")
            raise

    async def fail(self, request: ChatRequest, *, streamed: bool, **more: Any) -> Broken:
        """Return how the call fails, which must show neither a key nor the provider's words."""
        came: list[Delta] = []

        async def read() -> None:
            async for delta in self.chat_model.stream(request, **more):
                came.append(delta)  # noqa: PERF401 - a list that breaks off loses what came

        try:
            work = read() if streamed else self.chat_model.complete(request, **more)
            answer = await _within(work)
        except TollkeeperError as error:
            broken = Broken(error, added_up(came))
        else:
            raise AssertionError(f"no error was raised; it said {answer or added_up(came)!r}")
        assert_shows_nothing(broken.error, KEY, ANOTHER_KEY, self.secret_words)
        if isinstance(broken.error, PortError):
            assert broken.error.port == "chat_model"
            assert broken.error.adapter
        return broken


async def _within(work: Awaitable[T]) -> T:
    # The adapters' own time limits raise an error of the domain long before this.
    async with asyncio.timeout(_HANGS):
        return await work


def assert_is(broken: Broken, failure: Failure) -> None:
    """See that the error is what the provider's documented *failure* means."""
    error = broken.error
    assert (type(error), error.code) == (failure.error, failure.code)
    if isinstance(error, PortError):
        assert error.status == failure.status
        if failure.provider_codes:
            assert error.provider_code in failure.provider_codes
        assert error.retry_after in (None, failure.retry_after)


def assert_shows_nothing(error: BaseException, *words: str) -> None:
    """See that no report of *error* and what led to it, variables included, holds *words*."""
    waiting: list[BaseException | None] = [error]
    shown, seen = "", set[int]()
    while waiting:
        inner = waiting.pop()
        if inner is None or id(inner) in seen:
            continue
        seen.add(id(inner))
        report = traceback.TracebackException.from_exception(inner, capture_locals=True)
        shown += "".join(report.format(chain=False)) + repr(inner) + str(inner) + repr(inner.args)
        waiting += [inner.__cause__, inner.__context__]
        if isinstance(inner, BaseExceptionGroup):
            waiting += inner.exceptions
    for number, word in enumerate(words):
        # Not as one expression: pytest would print the word and all that is shown.
        found = word in shown
        assert not found, f"word {number} is shown: {_around(shown, word)}"


def _around(shown: str, word: str) -> str:
    place = shown.index(word)
    return shown[max(0, place - 200) : place + len(word)]


class ChatWireSuite(Contract):
    """What the themes of the suite have in common."""

    @pytest.fixture
    async def opened(self, connect: Connect) -> AsyncIterator[Opened]:
        """Open adapters, and close them after the test."""
        async with AsyncExitStack() as stack:

            async def open_one(*, key: str | None = KEY, **more: Any) -> ChatModel:
                made = connect(api_key=None if key is None else Secret(key), **more)
                enter = getattr(made, "__aenter__", None)
                if enter is not None:
                    await stack.enter_async_context(made)  # type: ignore[arg-type]
                return made

            yield open_one

    @pytest.fixture
    async def chat_model(self, opened: Opened) -> ChatModel:
        """Open one that is patient."""
        return await opened()

    @pytest.fixture
    async def caller(self, chat_model: ChatModel, upstream: Upstream) -> Caller:
        """Ask the patient one."""
        return Caller(chat_model, upstream.secret_words)

    @pytest.fixture
    async def impatient(self, caller: Caller, opened: Opened, upstream: Upstream) -> Caller:
        """Ask one that waits a fifth of a second."""
        # An SDK that is loaded with the first call is loaded now.
        await caller.ask(asking(upstream.echo), streamed=True)
        return Caller(await opened(patience=IMPATIENT), upstream.secret_words)

    @pytest.fixture
    def nowhere(self, upstream: Upstream) -> Iterator[str]:
        """Give a base URL where nobody listens, and nobody can begin to."""
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            path = urlsplit(upstream.base_url).path
            yield f"http://127.0.0.1:{bound.getsockname()[1]}{path}"
