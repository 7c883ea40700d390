"""The connections to one Supabase project: bounded in number and in time."""

import asyncio
from collections.abc import Coroutine, Mapping
from contextvars import copy_context
from types import TracebackType
from typing import Any, Self, cast

import httpx
from attrs import define, field
from postgrest.types import CountMethod
from supabase import AsyncClient, AsyncClientOptions

from tollkeeper.adapters.supabase.addresses import Address, address_of
from tollkeeper.adapters.supabase.answers import Answer, Row
from tollkeeper.adapters.supabase.asking import Build, Effect, ask_patiently, checked_name
from tollkeeper.adapters.supabase.failures import (
    circuit_open,
    closed,
    exhausted,
    is_trouble,
    other_loop,
    too_late,
)
from tollkeeper.adapters.supabase.transport import DEADLINE, DeadlineTransport
from tollkeeper.domain.circuit_breaker import BreakerPolicy, CircuitBreaker
from tollkeeper.domain.errors import ConfigurationError, Timeout, TollkeeperError
from tollkeeper.domain.secret import Secret

_BREAKER = BreakerPolicy(failures=5, pause=1.0)
_GRACE = 0.5
"""By how many seconds a request may outlast its deadline before it is cancelled."""


@define(eq=False)
class _Opened:
    loop: asyncio.AbstractEventLoop
    http: httpx.AsyncClient
    free: asyncio.Semaphore
    breaker: CircuitBreaker = field(factory=lambda: CircuitBreaker(_BREAKER))
    tasks: "set[asyncio.Task[Answer]]" = field(factory=set)

    def start(self, asking: Coroutine[Any, Any, Answer], deadline: float) -> "asyncio.Task[Answer]":
        """Ask to the end, whoever leaves meanwhile, and then free the connection.

        Nobody cancels a request that is under way: see :class:`DeadlineTransport`. It ends by
        itself at *deadline*; only one whose answer trickles in is cut off.
        """
        context = copy_context()
        context.run(DEADLINE.set, deadline)
        task = self.loop.create_task(asking, context=context)
        timer = self.loop.call_at(deadline + _GRACE, task.cancel)

        def ended(task: "asyncio.Task[Answer]") -> None:
            timer.cancel()
            self.tasks.discard(task)
            self.free.release()
            if not task.cancelled():
                # Whoever asked may be gone.
                task.exception()

        self.tasks.add(task)
        task.add_done_callback(ended)
        return task

    async def close(self) -> None:
        """Give up what is under way, and close the connections."""
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)
        await self.http.aclose()


class SupabaseCaller:
    """Asks a project, as its service or as one user; :class:`SupabaseConnections` makes it.

    Callers share the connections; the headers of each are its own.
    """

    def __init__(self, connections: "SupabaseConnections", token: Secret | None) -> None:
        self._connections = connections
        self._token = token
        self._client: tuple[_Opened, AsyncClient] | None = None

    async def ask(self, build: Build, *, effect: Effect, schema: str | None = None) -> Answer:
        """Send the request that *build* makes, and return the answer.

        Args:
            build: called with a client of *schema* (Tollkeeper's if None), once for each try.
            effect: what the request does.
            schema: the exposed schema of the tables and functions.

        Raises:
            DomainError: the database refused what was asked; the cause's ``code`` says why.
            PermissionDenied: the user may not do this.
            PortError: it failed; ``ambiguous`` if a change may have been done all the same.
            ConfigurationError: the key, the schema or its functions are not what they should be.
        """
        return await self._connections._run(self, build, effect=effect, schema=schema)

    async def call(
        self, function: str, arguments: Mapping[str, object], *, effect: Effect
    ) -> list[Row]:
        """Call one of Tollkeeper's functions and return all rows of its answer.

        Raises:
            Rejected: the server left rows out.
            TollkeeperError: as with :meth:`ask`.
        """
        name, written = checked_name(function), cast(dict[str, Any], dict(arguments))
        answer = await self.ask(
            lambda client: client.rpc(name, written, count=CountMethod.exact),
            effect=effect,
        )
        return [] if answer.data is None else answer.all_rows

    def _client_on(self, opened: _Opened) -> AsyncClient:
        if self._client is None or self._client[0] is not opened:
            address = self._connections.address
            key = address.key.reveal()
            token = key if self._token is None else self._token.reveal()
            options = AsyncClientOptions(
                headers={"Authorization": f"Bearer {token}"},
                auto_refresh_token=False,
                persist_session=False,
                postgrest_client_retry=False,
                httpx_client=opened.http,
            )
            self._client = opened, AsyncClient(address.url, key, options)
        return self._client[1]


class SupabaseConnections(SupabaseCaller):
    """Connections to one project; one event loop's at a time, and may be opened again.

    It asks as the service; :meth:`as_user` asks as somebody else. A connection is made when one is
    needed, so that opening does no I/O and a project that is down is an error of the first
    operation.

    Args:
        address: the project and its key.
        port: the port that errors name.
    """

    def __init__(self, address: Address, *, port: str = "store") -> None:
        super().__init__(self, None)
        self._address = address
        self._port = port
        self._opened: _Opened | None = None

    @classmethod
    def from_url(cls, url: str, *, port: str = "store") -> Self:
        """Make connections to the project that *url* names; see :func:`address_of`.

        Raises:
            ConfigurationError: *url* is malformed, or its key is not one of the service.
        """
        return cls(address_of(url, port=port), port=port)

    @property
    def address(self) -> Address:
        """Where the project is."""
        return self._address

    @property
    def port(self) -> str:
        """The port that errors name."""
        return self._port

    @property
    def in_use(self) -> int:
        """How many requests are under way."""
        if self._opened is None:
            return 0
        return self._address.pool_size - self._opened.free._value

    def as_user(self, token: Secret | str) -> SupabaseCaller:
        """Return a caller who sends a user's *token*: the project's row-level security decides.

        It shares the connections, and is of use while they are open. Nothing of it reaches the
        caller of the service.
        """
        return SupabaseCaller(self, token if isinstance(token, Secret) else Secret(token))

    async def __aenter__(self) -> Self:
        if self._opened is not None:
            raise ConfigurationError(
                f"{self._port}: it is open already; open it once, and share it"
            )
        size = self._address.pool_size
        http = httpx.AsyncClient(transport=DeadlineTransport(size), trust_env=False)
        self._opened = _Opened(asyncio.get_running_loop(), http, asyncio.Semaphore(size))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        opened, self._opened = self._opened, None
        if opened is None:
            raise closed(self._port)
        self._client = None
        await opened.close()

    async def _run(
        self, caller: SupabaseCaller, build: Build, *, effect: Effect, schema: str | None
    ) -> Answer:
        opened = self._opened
        if opened is None:
            raise closed(self._port)
        if opened.loop is not asyncio.get_running_loop():
            raise other_loop(self._port)
        breaker, time = opened.breaker, opened.loop.time
        deadline = time() + self._address.timeout
        self._check(breaker, time())
        try:
            async with asyncio.timeout_at(deadline):
                await opened.free.acquire()
        except TimeoutError:
            raise exhausted(self._port) from None
        try:
            # Whoever waited for a connection may hear by now that it is of no use.
            self._check(breaker, time())
            if self._opened is not opened:
                raise closed(self._port)
            began, probing = time(), breaker.enter(time())
            client = caller._client_on(opened).schema(schema or self._address.schema)
        except BaseException:
            opened.free.release()
            raise
        as_user = caller is not self
        asking = ask_patiently(
            client, build, effect=effect, deadline=deadline, port=self._port, as_user=as_user
        )
        task = opened.start(asking, deadline)
        try:
            await asyncio.wait({task}, timeout=deadline - time())
        except BaseException:
            if probing:
                breaker.undecided()
            raise
        try:
            answer = self._answer_of(opened, task, sent=effect is not Effect.READS)
        except TollkeeperError as error:
            if not is_trouble(error):
                breaker.succeeded()
            elif not isinstance(error, Timeout) or deadline - began >= self._address.timeout / 2:
                breaker.failed(time())
            elif probing:
                # It spent its time waiting for a connection, which says nothing about the server.
                breaker.undecided()
            raise
        except BaseException:
            if probing:
                breaker.undecided()
            raise
        breaker.succeeded()
        return answer

    def _answer_of(self, opened: _Opened, task: "asyncio.Task[Answer]", *, sent: bool) -> Answer:
        if not task.done():
            raise too_late(self._port, sent=sent)
        if task.cancelled():
            error = closed(self._port) if self._opened is not opened else None
            raise error or too_late(self._port, sent=sent)
        return task.result()

    def _check(self, breaker: CircuitBreaker, now: float) -> None:
        seconds = breaker.wait(now)
        if seconds > 0:
            raise circuit_open(self._port, wait=seconds)
