"""The same facade for hosts without an event loop: Django, Celery, Flask, scripts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Self, Unpack

from anyio.from_thread import start_blocking_portal

from tollkeeper.application.chat_options import ChatOptions
from tollkeeper.application.stream_completion import CompletionStream
from tollkeeper.domain.completions import Completion, Delta, Receipt
from tollkeeper.domain.messages import Message
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.blocking import Blocking, Loop
from tollkeeper.infra.bootstrap import Lent, open_tollkeeper
from tollkeeper.infra.facade import Tollkeeper
from tollkeeper.infra.settings import Settings
from tollkeeper.infra.sync_keys import (
    SyncAuthenticateKey,
    SyncCredentialsOf,
    SyncKeysOf,
    SyncVerifyAudit,
)
from tollkeeper.infra.sync_services import (
    SyncBroadcasts,
    SyncCachedValues,
    SyncEventLogs,
    SyncLocks,
    SyncOutboxMessages,
    SyncTables,
)


class SyncCompletionStream:
    """A :class:`CompletionStream` to read in a ``for`` loop; closes as that one does."""

    def __init__(self, loop: Loop, stream: CompletionStream) -> None:
        self._loop = loop
        self._stream = stream

    def __iter__(self) -> Iterator[Delta]:
        try:
            while True:
                try:
                    yield self._loop.call(self._stream.__anext__)
                except StopAsyncIteration:
                    return
        finally:
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the stream; what came so far is charged. A closed facade has done so already."""
        if not self._loop.closed:
            self._loop.call(self._stream.aclose)

    @property
    def partial(self) -> Completion:
        """What came so far, with the receipt once it is charged."""
        return self._stream.partial

    @property
    def receipt(self) -> Receipt | None:
        """What was charged; None until the stream has ended, or if nothing was."""
        return self._stream.receipt

    @property
    def first_after(self) -> timedelta | None:
        """How long the first piece took; None before it."""
        return self._stream.first_after

    def completion(self) -> Completion:
        """Read on to the end and return the whole answer."""
        return self._loop.call(self._stream.completion)


class SyncTollkeeper:
    """Every use case of :class:`Tollkeeper`, blocking; safe to use from many threads."""

    def __init__(self, loop: Loop, tk: Tollkeeper) -> None:
        self._loop = loop
        self._stream_completion = tk.stream_completion
        self._tables = tk.tables
        self.issue_key = Blocking(loop, tk.issue_key.__call__)
        self.authenticate_key = SyncAuthenticateKey(loop, tk.authenticate_key)
        self.get_key = Blocking(loop, tk.get_key.__call__)
        self.list_keys = Blocking(loop, tk.list_keys.__call__)
        self.update_key = Blocking(loop, tk.update_key.__call__)
        self.disable_key = Blocking(loop, tk.disable_key.__call__)
        self.enable_key = Blocking(loop, tk.enable_key.__call__)
        self.revoke_key = Blocking(loop, tk.revoke_key.__call__)
        self.delete_key = Blocking(loop, tk.delete_key.__call__)
        self.rotate_key = Blocking(loop, tk.rotate_key.__call__)
        self.report_leaked_keys = Blocking(loop, tk.report_leaked_keys.__call__)
        self.credentials = SyncCredentialsOf(loop, tk.credentials)
        self.forget_account = Blocking(loop, tk.forget_account.__call__)
        self.rotate_encryption = Blocking(loop, tk.rotate_encryption.__call__)
        self._authenticate_user = Blocking(loop, tk.authenticate_user.__call__)
        self.seal_keys = Blocking(loop, tk.seal_keys.__call__)
        self.keys = SyncKeysOf(loop, tk.keys)
        self.grant_credit = Blocking(loop, tk.grant_credit.__call__)
        self.complete = Blocking(loop, tk.complete.__call__)
        self.embed = Blocking(loop, tk.embed.__call__)
        self.run_tools = Blocking(loop, tk.run_tools.__call__)
        self.bind_credential = Blocking(loop, tk.bind_credential.__call__)
        self.transcribe = Blocking(loop, tk.transcribe.__call__)
        self.charge_usage = Blocking(loop, tk.charge_usage.__call__)
        self.report_usage = Blocking(loop, tk.report_usage.__call__)
        self.list_entries = Blocking(loop, tk.list_entries.__call__)
        self.list_attempts = Blocking(loop, tk.list_attempts.__call__)
        self.list_audit = Blocking(loop, tk.list_audit.__call__)
        self.verify_audit = SyncVerifyAudit(loop, tk.verify_audit)
        self.expire_holds = Blocking(loop, tk.expire_holds.__call__)
        self.check_health = Blocking(loop, tk.check_health.__call__)
        self.define_plan = Blocking(loop, tk.define_plan.__call__)
        self.subscribe_account = Blocking(loop, tk.subscribe_account.__call__)
        self.cache = SyncCachedValues(loop, tk.cache)
        self.locks = SyncLocks(loop, tk.locks)
        self.events = SyncEventLogs(loop, tk.events)
        self.outbox = SyncOutboxMessages(loop, tk.outbox)
        self.broadcast = SyncBroadcasts(loop, tk.broadcast)
        self.price_book = tk.price_book
        self.catalogue = tk.catalogue
        self.parts = tk.parts

    def __repr__(self) -> str:
        return f"<SyncTollkeeper {self.parts}>"

    @property
    def tables(self) -> SyncTables:
        """The host's own tables.

        Raises:
            ConfigurationError: no database is set for them.
        """
        return SyncTables(self._loop, self._tables)

    def authenticate_user(self, token: str | Secret) -> Principal:
        """Return the user who holds *token*."""
        # A traceback may show the locals of these frames, so that none may hold the plain text.
        if isinstance(token, str):
            token = Secret(token)
        return self._authenticate_user(token)

    def stream_completion(
        self,
        principal: Principal,
        *,
        model: str,
        messages: Sequence[Message],
        **options: Unpack[ChatOptions],
    ) -> SyncCompletionStream:
        """Ask for an answer in pieces: ``for delta in tk.stream_completion(…)``."""
        self._loop.check_open()
        stream = self._stream_completion(principal, model=model, messages=messages, **options)
        return SyncCompletionStream(self._loop, stream)


@contextmanager
def open_tollkeeper_sync(
    settings: Settings | None = None, **lent: Unpack[Lent]
) -> Iterator[SyncTollkeeper]:
    """Open the facade in an event loop of its own thread; otherwise like ``open_tollkeeper``.

    Open it after a fork (once in each worker), never at import.
    """
    with start_blocking_portal() as portal:
        loop = Loop(portal)
        try:
            with portal.wrap_async_context_manager(open_tollkeeper(settings, **lent)) as tk:
                yield SyncTollkeeper(loop, tk)
        finally:
            loop.closed = True
