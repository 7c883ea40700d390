"""The same facade for hosts without an event loop: Django, Celery, Flask, scripts."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Generic, ParamSpec, Self, TypeVar, Unpack

from anyio.from_thread import BlockingPortal, start_blocking_portal

from tollkeeper.application.chat_call import ChatOptions
from tollkeeper.application.stream_completion import CompletionStream
from tollkeeper.domain.chat import Message
from tollkeeper.domain.completions import Completion, Delta, Receipt
from tollkeeper.domain.principals import Principal
from tollkeeper.infra.bootstrap import Lent, open_tollkeeper
from tollkeeper.infra.facade import Tollkeeper
from tollkeeper.infra.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")


class _Blocking(Generic[P, T]):
    """A use case that blocks the calling thread until it is done."""

    def __init__(self, portal: BlockingPortal, use_case: Callable[P, Awaitable[T]]) -> None:
        self._portal = portal
        self._use_case = use_case

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        async def run() -> T:
            return await self._use_case(*args, **kwargs)

        return self._portal.call(run)


class SyncCompletionStream:
    """A :class:`CompletionStream` to read in a ``for`` loop; closes as that one does."""

    def __init__(self, portal: BlockingPortal, stream: CompletionStream) -> None:
        self._portal = portal
        self._stream = stream

    def __iter__(self) -> Iterator[Delta]:
        try:
            while True:
                try:
                    yield self._portal.call(anext, self._stream)
                except StopAsyncIteration:
                    return
        finally:
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the stream; what came so far is charged."""
        self._portal.call(self._stream.aclose)

    @property
    def partial(self) -> Completion:
        """What came so far, with the receipt once it is charged."""
        return self._stream.partial

    @property
    def receipt(self) -> Receipt | None:
        """What was charged; None until the stream has ended, or if nothing was."""
        return self._stream.receipt

    def completion(self) -> Completion:
        """Read on to the end and return the whole answer."""
        return self._portal.call(self._stream.completion)


class SyncTollkeeper:
    """Every use case of :class:`Tollkeeper`, blocking; safe to use from many threads."""

    def __init__(self, portal: BlockingPortal, tk: Tollkeeper) -> None:
        self._portal = portal
        self._stream_completion = tk.stream_completion
        self.issue_key = _Blocking(portal, tk.issue_key.__call__)
        self.authenticate_key = _Blocking(portal, tk.authenticate_key.__call__)
        self.list_keys = _Blocking(portal, tk.list_keys.__call__)
        self.revoke_key = _Blocking(portal, tk.revoke_key.__call__)
        self.rotate_key = _Blocking(portal, tk.rotate_key.__call__)
        self.grant_credit = _Blocking(portal, tk.grant_credit.__call__)
        self.complete = _Blocking(portal, tk.complete.__call__)
        self.transcribe = _Blocking(portal, tk.transcribe.__call__)
        self.charge_usage = _Blocking(portal, tk.charge_usage.__call__)
        self.report_usage = _Blocking(portal, tk.report_usage.__call__)
        self.list_entries = _Blocking(portal, tk.list_entries.__call__)
        self.list_audit = _Blocking(portal, tk.list_audit.__call__)
        self.expire_holds = _Blocking(portal, tk.expire_holds.__call__)
        self.define_plan = _Blocking(portal, tk.define_plan.__call__)
        self.subscribe_account = _Blocking(portal, tk.subscribe_account.__call__)
        self.price_book = tk.price_book

    def stream_completion(
        self,
        principal: Principal,
        *,
        model: str,
        messages: list[Message],
        **options: Unpack[ChatOptions],
    ) -> SyncCompletionStream:
        """Ask for an answer in pieces: ``for delta in tk.stream_completion(…)``."""
        stream = self._stream_completion(principal, model=model, messages=messages, **options)
        return SyncCompletionStream(self._portal, stream)


@contextmanager
def open_tollkeeper_sync(
    settings: Settings | None = None, **lent: Unpack[Lent]
) -> Iterator[SyncTollkeeper]:
    """Open the facade in an event loop of its own thread; otherwise like ``open_tollkeeper``.

    Open it after a fork (once in each worker), never at import.
    """
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(open_tollkeeper(settings, **lent)) as tk,
    ):
        yield SyncTollkeeper(portal, tk)
