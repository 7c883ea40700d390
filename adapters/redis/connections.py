"""The connections to Redis: bounded in number and in time, and whole again after an outage."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Self, TypeVar

from redis.asyncio.cluster import RedisCluster

from tollkeeper.adapters.redis.clients import Client
from tollkeeper.adapters.redis.deadlines import Deadline
from tollkeeper.adapters.redis.failures import (
    ADAPTER,
    KNOWN,
    busy_pool,
    not_open,
    translate,
)
from tollkeeper.adapters.redis.pools import Breakers, Command, Gate, Pool, by_node
from tollkeeper.adapters.redis.urls import RedisUrl, parse_redis_url
from tollkeeper.domain.errors import Timeout, Unavailable

T = TypeVar("T")


class RedisConnections:
    """Connections to one Redis, cluster or sentinel-watched master; one event loop's at a time.

    Use it inside ``async with``; it may be opened again afterwards, in another event loop. It
    connects when it is first needed: a Redis that is down does not keep a host from starting.
    """

    def __init__(self, url: RedisUrl, *, port: str) -> None:
        self._url = url
        self._port = port
        self._breakers = Breakers()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._general: Pool | None = None
        self._blocking: Pool | None = None

    @classmethod
    def from_url(cls, url: str, *, port: str) -> Self:
        """Make connections from a URL; nothing is sent.

        ``redis://[user:password@]host:6379/0``, ``rediss://`` for TLS,
        ``redis+cluster://host:port,host:port`` or ``redis+sentinel://host:port,host:port/master``,
        each with the options ``pool_size=20``, ``timeout=2`` (seconds, of one operation),
        ``acquire_timeout=`` (of that, waiting for a connection: all of it if nothing is said),
        ``namespace=tk``, ``ca_file=``, ``cert_file=``, ``key_file=`` and, but for the first two,
        ``tls=true``. *port* is the port that the errors name.

        Raises:
            ConfigurationError: *url* is malformed.
        """
        return cls(parse_redis_url(url, port=port), port=port)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._breakers = Breakers()
        self._general, self._blocking = Pool(self._url, self._breakers), None
        return self

    async def __aexit__(self, *_: object) -> None:
        pools = [*filter(None, [self._general, self._blocking])]
        self._loop, self._general, self._blocking = None, None, None
        async with AsyncExitStack() as closing:
            for pool in pools:
                closing.push_async_callback(pool.close)

    @property
    def url(self) -> RedisUrl:
        """What the URL says that they were made from."""
        return self._url

    @property
    def timeout(self) -> timedelta:
        """How long one operation may take, waiting for a connection and retries included."""
        return timedelta(seconds=self._url.timeout)

    def deadline(self) -> Deadline:
        """Return a block that raises TimeoutError :attr:`timeout` from now."""
        when = asyncio.get_running_loop().time() + self._url.timeout
        return self._opened().deadlines.at(when)

    @property
    def is_cluster(self) -> bool:
        """Whether keys of one command must share a hash tag."""
        return self._url.topology == "cluster"

    def key(self, kind: str, name: str, *, tag: str | None = None) -> str:
        """Name a key: ``<namespace>:<kind>:<name>``.

        Keys with the same *tag* (such as a tenant) lie in one slot of a cluster; without one, a
        ``{…}`` within *name* counts as it always does. Different names make different keys.
        """
        if tag is None:
            return f"{self._url.namespace}:{kind}:{name}"
        written = tag.replace("%", "%25").replace("{", "%7B").replace("}", "%7D") or "%"
        return f"{self._url.namespace}:{kind}:{{{written}}}:{name}"

    async def run(
        self,
        command: Command[T],
        *,
        idempotent: bool,
        key: str | None = None,
        until: float | None = None,
    ) -> T:
        """Do *command* within :attr:`timeout`, on a connection that is its own meanwhile.

        *command* uses its client for one command or pipeline at a time. If it is *idempotent* it
        is tried again after failures that pass, with growing pauses; else only where the first
        try certainly did nothing. In a cluster, *key* says which node it goes to: a node that is
        down then keeps nobody from the others. *until* is a moment of the loop's clock, where an
        operation has several commands.

        Raises:
            PoolExhausted: no connection became free in time.
            Unavailable: Redis cannot be reached; code ``circuit_open`` if it failed several
                times in a row just now, and nothing was sent.
            Timeout: no answer in time.
            PortError: as Redis's answer says. ``ambiguous`` on any of these means that a command
                that is not idempotent may have been done all the same.
        """
        within = self._url.timeout
        if until is not None:
            within = until - asyncio.get_running_loop().time()
        return await self._run(self._opened(), command, key, idempotent=idempotent, within=within)

    def node_of(self, key: str) -> str:
        """Name the cluster's node that *key* lies on; empty if there is one only, or not known."""
        return self._opened().node_of(key)

    async def by_node(self, keys: list[str], *, until: float) -> list[list[str]]:
        """Part *keys* by the nodes that they lie on, after asking the cluster where that is.

        Raises:
            PortError: the cluster does not say; see :meth:`run`.
        """
        pool = self._opened()

        async def parted(_: Client) -> list[list[str]]:
            return list(by_node(pool, keys).values())

        return await self.run(parted, idempotent=True, until=until)

    async def run_blocking(
        self, command: Command[T], *, longest_block: timedelta, key: str | None = None
    ) -> T:
        """Do a reading *command* that blocks for *longest_block* at most, as :meth:`run` does.

        It uses connections of its own, so that those who wait keep nobody else waiting, and is not
        tried again by itself after a break: what there is to wait for may be something else then.
        What bounds it in time is a deadline later than the block's end: with a timeout on the
        socket redis-py sends within a ``wait_for``, and Python 3.11's may swallow a cancellation.
        """
        return await self._run(
            self._blocking_pool(),
            command,
            key,
            idempotent=False,
            within=longest_block.total_seconds() + self._url.timeout,
        )

    async def health(self) -> str:
        """Ask Redis for a sign of life, whatever the breaker says.

        Raises:
            PortError: it gives none.
        """
        pool = self._opened()
        loop = asyncio.get_running_loop()
        began = loop.time()
        in_use, idle = pool.usage
        try:
            async with asyncio.timeout(self._url.timeout):
                if isinstance(pool.client, RedisCluster):
                    await pool.client.ping(target_nodes=RedisCluster.PRIMARIES)
                else:
                    await pool.client.execute_command("PING")
        except KNOWN as error:
            raise translate(error, port=self._port, changes=False) from error.__cause__
        self._breakers.all_well()
        took = (loop.time() - began) * 1000
        each = " to each node" if self.is_cluster else ""
        return (
            f"Redis ({self._url.topology}) answers in {took:.1f} ms; {in_use} of "
            f"{self._url.pool_size} connections in use{each}, {idle} idle"
        )

    @property
    def usage(self) -> tuple[int, int]:
        """How many connections of the general pool are in use, and how many are idle."""
        return self._opened().usage

    def check_open(self) -> None:
        """Check that the connections are open, in the running event loop.

        Raises:
            Unavailable: they are not (code ``not_open``).
        """
        self._opened()

    def _opened(self) -> Pool:
        if self._general is None or self._loop is not asyncio.get_running_loop():
            raise not_open(self._port)
        return self._general

    def _blocking_pool(self) -> Pool:
        self._opened()
        if self._blocking is None:
            self._blocking = Pool(self._url, self._breakers)
        return self._blocking

    async def _run(
        self,
        pool: Pool,
        command: Command[T],
        key: str | None,
        *,
        idempotent: bool,
        within: float,
    ) -> T:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        if key is not None and pool.is_lost:
            await self._run(pool, _nothing, None, idempotent=True, within=within)
        gate = pool.gate(key)
        sent = False
        try:
            with pool.deadlines.at(deadline):
                await self._acquire(gate)
                try:
                    # Whoever waited for a connection may hear by now that it is of no use.
                    self._check(gate, loop.time())
                    probing = gate.breaker.enter(loop.time())
                    sent = True
                    try:
                        reply = await pool.patiently(
                            command, idempotent=idempotent, deadline=deadline
                        )
                    except asyncio.CancelledError:
                        if probing:
                            gate.breaker.undecided()
                        raise
                finally:
                    gate.slots.release()
        except KNOWN as error:
            if not sent:
                raise busy_pool(self._port) from None
            typed = translate(error, port=self._port, changes=not idempotent)
            if isinstance(typed, Unavailable | Timeout):
                gate.breaker.failed(loop.time())
                pool.look_again()
            else:
                gate.breaker.succeeded()
            raise typed from typed.__cause__
        gate.breaker.succeeded()
        return reply

    async def _acquire(self, gate: Gate) -> None:
        if not gate.slots.locked():
            await gate.slots.acquire()
            return
        self._check(gate, asyncio.get_running_loop().time())
        if self._url.acquire_timeout >= self._url.timeout:
            await gate.slots.acquire()  # the operation's own deadline is near enough
            return
        async with asyncio.timeout(self._url.acquire_timeout):
            await gate.slots.acquire()

    def _check(self, gate: Gate, now: float) -> None:
        seconds = gate.breaker.wait(now)
        if seconds > 0:
            raise Unavailable(
                "Redis failed several times in a row and is left alone for a moment",
                port=self._port,
                adapter=ADAPTER,
                retry_after=timedelta(seconds=seconds),
                code="circuit_open",
            )


async def _nothing(_: Client) -> None:
    """Send nothing: a cluster tells its slots first, and then it is known whom to ask."""
