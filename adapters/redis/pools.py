"""Pools: a client of redis-py, and for each node how many may use it, and whether it is of use."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from attrs import define, field
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import SlotNotCoveredError

from tollkeeper.adapters.redis.clients import Client, connections_of, make_client
from tollkeeper.adapters.redis.deadlines import Deadlines
from tollkeeper.adapters.redis.failures import KNOWN, is_of_a_replica, is_passing, never_done
from tollkeeper.adapters.redis.urls import RedisUrl
from tollkeeper.domain.circuit_breaker import BreakerPolicy, CircuitBreaker

T = TypeVar("T")
Command = Callable[[Client], Awaitable[T]]
"""Sends one command, or one pipeline, on the client that it is given, and returns the reply."""
ANY_NODE = ""
"""The node of one server; in a cluster, that of what belongs to no key, or is not known yet."""
_BREAKER = BreakerPolicy(failures=5, pause=1.0)
_RETRIES = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.2
_LOOKS = 3


@define(eq=False)
class Breakers:
    """Whether the nodes are of use: one that is down says nothing about the others."""

    _of: dict[str, CircuitBreaker] = field(factory=dict)

    def of(self, node: str) -> CircuitBreaker:
        """Return the breaker of *node*."""
        breaker = self._of.get(node)
        if breaker is None:
            breaker = self._of[node] = CircuitBreaker(_BREAKER)
        return breaker

    def all_well(self) -> None:
        """Note that every node answers."""
        for breaker in self._of.values():
            breaker.succeeded()


@define(eq=False)
class Gate:
    """The way to one node: redis-py's cluster client lets nobody wait for a connection."""

    slots: asyncio.Semaphore
    breaker: CircuitBreaker


class Pool:
    """A client of at most ``pool_size`` connections to each node."""

    def __init__(
        self, url: RedisUrl, breakers: Breakers, *, socket_timeout: float | None = None
    ) -> None:
        self._url = url
        self._breakers = breakers
        self._gates: dict[str, Gate] = {}
        self.deadlines = Deadlines()
        self.client, self._close = make_client(
            url, most=url.pool_size, socket_timeout=socket_timeout
        )
        self._is_cluster = isinstance(self.client, RedisCluster)
        self._looking: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Close all connections."""
        self.deadlines.close()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._close()

    @property
    def usage(self) -> tuple[int, int]:
        """How many connections are in use, and how many are idle."""
        return connections_of(self.client)

    @property
    def is_lost(self) -> bool:
        """Whether it is a cluster of which no slots are known."""
        return self._is_cluster and bool(self.client._initialize)

    async def ready(self) -> Client:
        """Return the client when it knows its cluster: callers at once would ask it at once.

        A node that hangs gets half of an operation's time, so that another can be asked.

        Raises:
            ConnectionRefusedError: nobody told in time; no command was sent.
        """
        if self.is_lost:
            try:
                async with asyncio.timeout(self._url.timeout / 2):
                    await self.client.initialize()
            except TimeoutError:
                raise ConnectionRefusedError("no node of the cluster told its slots") from None
        return self.client

    async def patiently(self, command: Command[T], *, idempotent: bool, deadline: float) -> T:
        """Do *command*, again after failures that pass, before *deadline* of the loop's clock."""
        loop = asyncio.get_running_loop()
        tries = 0
        while True:
            try:
                return await command(await self.ready())
            except KNOWN as caught:
                error = caught
                tries += 1
                # A failover takes seconds, and nothing is sent while there is no master.
                patient = isinstance(error, MasterNotFoundError) or tries <= _RETRIES
                again = is_passing(error) and (idempotent or never_done(error))
                longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**tries)
                pause = random.uniform(0, longest)  # noqa: S311 - it spreads callers, and guards nothing
                if not (patient and again) or loop.time() + pause >= deadline:
                    raise
                self.look_again()
            if is_of_a_replica(error) and self._url.topology == "sentinel":
                # What connects anew asks the sentinels. redis-py sees it in no script's error.
                await self.client.connection_pool.disconnect(inuse_connections=False)
            await asyncio.sleep(pause)
            if self._looking is not None:
                await asyncio.wait([self._looking])

    def look_again(self) -> None:
        """Have a cluster tell its slots anew: they may have moved. Meanwhile the known ones serve.

        redis-py would let everybody wait for it, those too whose nodes are well.
        """
        if self._is_cluster and self.client.nodes_manager.slots_cache:
            self.client._initialize = False
            if self._looking is None:
                self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        try:
            for _ in range(_LOOKS):
                with suppress(*KNOWN):
                    async with asyncio.timeout(self._url.timeout / 2):
                        await self.client.nodes_manager.initialize()
                    return
        finally:
            self._looking = None

    def node_of(self, key: str | None) -> str:
        """Name the node that *key* lies on, as far as it is known."""
        if key is None or not self._is_cluster:
            return ANY_NODE
        try:
            node: Any = self.client.get_node_from_key(key)
        except SlotNotCoveredError:
            return ANY_NODE
        return str(node.name)

    def gate(self, key: str | None) -> Gate:
        """Return the way to the node of *key*."""
        node = self.node_of(key)
        gate = self._gates.get(node)
        if gate is None:
            slots = asyncio.Semaphore(self._url.pool_size)
            gate = self._gates[node] = Gate(slots, self._breakers.of(node))
        return gate


def by_node(pool: Pool, keys: list[str]) -> Mapping[str, list[str]]:
    """Sort *keys* by the node that they lie on."""
    sorted_keys: dict[str, list[str]] = {}
    for key in keys:
        sorted_keys.setdefault(pool.node_of(key), []).append(key)
    return sorted_keys
