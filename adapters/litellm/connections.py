"""The connections of one adapter: to one server; each request has its key."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from yarl import URL

from tollkeeper.adapters.litellm.faults import ADAPTER, PORT
from tollkeeper.adapters.litellm.sealed import Sealed
from tollkeeper.adapters.wire.answers import Answer
from tollkeeper.adapters.wire.connections import HttpConnections
from tollkeeper.domain.errors import CredentialsRefused

_OF_THE_TRANSPORT = frozenset(
    {"accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"}
)


class Connections:
    """Sends requests to the server of one base URL; each brings its own key.

    *port* is what errors say.
    """

    def __init__(
        self,
        base_url: str,
        *,
        limit: int,
        connect_timeout: timedelta,
        largest_response: int,
        port: str = PORT,
    ) -> None:
        self._origin = URL(base_url).origin()
        self._port = port
        self._http = HttpConnections(
            limit=limit,
            connect_timeout=connect_timeout,
            largest_response=largest_response,
            port=port,
            adapter=ADAPTER,
        )

    async def open(self) -> None:
        """Make ready to connect, in the running loop; nothing is sent yet."""
        await self._http.open()

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        await self._http.close()

    def request(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        *,
        headers: Sealed,
        idle: timedelta | None = None,
        total: timedelta | None = None,
    ) -> AbstractAsyncContextManager[Answer]:
        """Send one request and lend its answer; leaving closes what was not read to its end.

        *idle* bounds the time without a byte, *total* the whole; both None is for ever.

        Raises:
            CredentialsRefused: *url* is at another server; nothing was sent.
            PoolExhausted: all connections stayed in use for as long as one may take to connect.
            Unavailable, Timeout, CorruptResponse: no answer came; ambiguous once it was sent.
        """
        place = URL(url, encoded=True)
        if place.origin() != self._origin:
            raise CredentialsRefused(
                "the key is bound to another server than the request; nothing was sent",
                port=self._port,
                adapter=ADAPTER,
                code="credential_bound_elsewhere",
            )
        return self._http.request(
            method, place, body, headers=lambda: _ours(headers.opened()), idle=idle, total=total
        )


def _ours(headers: Mapping[str, str]) -> dict[str, str]:
    """Leave out what the transport itself says."""
    kept = {n: v for n, v in headers.items() if n.lower() not in _OF_THE_TRANSPORT}
    return {**kept, "Content-Type": "application/json"}
