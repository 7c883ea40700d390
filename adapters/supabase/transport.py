"""The way to a project: bounded in number, and each request in what is left of its time."""

import asyncio
from contextvars import ContextVar

import httpx

DEADLINE: ContextVar[float] = ContextVar("tollkeeper_supabase_deadline")
"""Until when, by the loop's clock, the operation of the current task may take."""
_CONNECTING = 3.0
_IDLE = 30.0
_SHORTEST = 0.001


class DeadlineTransport(httpx.AsyncBaseTransport):
    """At most *size* connections; a request fails by itself when its operation's time is up.

    A request that is cancelled instead, just when its connection is made, leaves the client with
    one that it neither uses nor closes (httpcore 1.0): the pool would shrink for ever.
    """

    def __init__(self, size: int) -> None:
        # The client's own limits would be those of a transport that it made itself.
        self.inner = httpx.AsyncHTTPTransport(
            limits=httpx.Limits(
                max_connections=size, max_keepalive_connections=size, keepalive_expiry=_IDLE
            ),
            http2=False,
            retries=0,
            trust_env=False,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*."""
        left = max(DEADLINE.get() - asyncio.get_running_loop().time(), _SHORTEST)
        timeout = {"connect": min(_CONNECTING, left), "read": left, "write": left, "pool": left}
        request.extensions = {**request.extensions, "timeout": timeout}
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.inner.aclose()
