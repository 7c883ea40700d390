"""Making redis-py's clients: one of each topology, bounded, without retries of their own."""

from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import ConnectionPool, Redis, SSLConnection
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from tollkeeper.adapters.redis.urls import RedisUrl

Client = Any
"""redis-py's asynchronous client: a ``Redis``, or a ``RedisCluster`` that takes the same commands.

The two share no class, and their commands bear no types that mypy could check.
"""
Close = Callable[[], Awaitable[None]]
_SENTINEL_SHARE = 4


def make_client(
    url: RedisUrl, *, most: int, socket_timeout: float | None = None
) -> tuple[Client, Close]:
    """Make a client of at most *most* connections (to each node), and what closes it.

    Nothing is sent. Retries are the caller's, who knows which command may be sent twice.
    """
    settings: dict[str, Any] = {
        "username": url.user,
        "password": url.password.reveal() if url.password else None,
        "socket_timeout": socket_timeout,
        "socket_connect_timeout": url.timeout,
        "socket_keepalive": True,
        # RESP3's pushes would let unread bytes pass for news: a reply could then be another's.
        "protocol": 2,
    }
    if url.topology == "cluster":
        return _cluster(url, settings, most)
    settings |= {"db": url.db, "retry": _no_retry()}
    if url.topology == "sentinel":
        return _sentinel(url, settings, most)
    if url.tls:
        settings |= {"connection_class": SSLConnection, **_tls(url)}
    host, port = url.nodes[0]
    pool = ConnectionPool(max_connections=most, host=host, port=port, **settings)
    client = Redis(connection_pool=pool)

    async def close() -> None:
        await client.aclose()
        await pool.aclose()

    return client, close


def connections_of(client: Client) -> tuple[int, int]:
    """Count the connections of *client*: in use, and idle."""
    if isinstance(client, RedisCluster):
        nodes = client.get_nodes()
        idle = sum(len(node._free) for node in nodes)
        return sum(len(node._connections) for node in nodes) - idle, idle
    pool = client.connection_pool
    return len(pool._in_use_connections), len(pool._available_connections)


def _cluster(url: RedisUrl, settings: dict[str, Any], most: int) -> tuple[Client, Close]:
    client = RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in url.nodes],
        max_connections=most,
        retry=_no_retry(),
        # Else every fifth slot that moved would break off what the others have under way.
        reinitialize_steps=0,
        ssl=url.tls,
        **_tls(url),
        **settings,
    )

    async def close() -> None:
        await client.aclose()
        # Closing twice is of no use to it when its nodes are to be asked for anew.
        await client.nodes_manager.aclose()
        await client.nodes_manager.aclose("startup_nodes")

    return client, close


def _sentinel(url: RedisUrl, settings: dict[str, Any], most: int) -> tuple[Client, Close]:
    asking = {
        # One sentinel that hangs must leave time to ask another.
        "socket_timeout": url.timeout / _SENTINEL_SHARE,
        "socket_connect_timeout": url.timeout / _SENTINEL_SHARE,
        "retry": _no_retry(),
        "protocol": 2,
    }
    if url.tls:
        tls = {"ssl": True, **_tls(url)}
        settings |= tls
        asking |= tls
    sentinel: Any = Sentinel(  # type: ignore[no-untyped-call]  # redis-py types it not at all
        list(url.nodes), sentinel_kwargs=asking
    )
    client = sentinel.master_for(url.master, max_connections=most, **settings)

    async def close() -> None:
        await client.aclose(close_connection_pool=True)
        for one in sentinel.sentinels:
            await one.aclose(close_connection_pool=True)

    return client, close


def _tls(url: RedisUrl) -> dict[str, Any]:
    return {
        "ssl_ca_certs": url.ca_file,
        "ssl_certfile": url.cert_file,
        "ssl_keyfile": url.key_file,
    }


def _no_retry() -> Retry:
    return Retry(NoBackoff(), 0)
