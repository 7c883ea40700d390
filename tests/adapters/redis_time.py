"""Moving a Redis's time on, for the keys of one namespace: their lives are made shorter."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from tests.servers.redis_server import with_options
from tollkeeper.adapters.redis.clients import make_client
from tollkeeper.adapters.redis.urls import parse_redis_url

Advance = Callable[[timedelta], Awaitable[None]]


def own_namespace(url: str, *options: str) -> str:
    """Return *url* with a namespace that nobody used before, and *options*."""
    return with_options(url, [f"namespace=contract-{uuid.uuid4().hex}", *options])


@asynccontextmanager
async def plain_client(url: str) -> AsyncIterator[Any]:
    """Give a client of redis-py, to look and to meddle behind an adapter's back."""
    client, close = make_client(parse_redis_url(url, port="test"), most=10)
    try:
        yield client
    finally:
        await close()


@asynccontextmanager
async def advancing(url: str) -> AsyncIterator[Advance]:
    """Give what moves on the time of the keys in the namespace of *url*."""
    namespace = parse_redis_url(url, port="test").namespace
    async with plain_client(url) as client:

        async def advance(by: timedelta) -> None:
            async for key in client.scan_iter(match=f"{namespace}:*"):
                left = await client.pttl(key)
                if left >= 0:
                    await client.pexpire(key, left - by // timedelta(milliseconds=1))

        yield advance
