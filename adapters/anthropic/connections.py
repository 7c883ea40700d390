"""The connections of one adapter: to one base URL, in one event loop, whosever key is sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from attrs import frozen

from tollkeeper.adapters.anthropic.answers import Answer, network_errors, transport_error
from tollkeeper.adapters.anthropic.faults import ADAPTER, PORT, provider_error
from tollkeeper.adapters.anthropic.sdk import Exchange, make_client, send
from tollkeeper.adapters.wire.causes import without_frames
from tollkeeper.adapters.wire.slots import Slots
from tollkeeper.domain.errors import TollkeeperError
from tollkeeper.domain.secret import Secret

if TYPE_CHECKING:
    import anthropic
    import httpx2

_OWN = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",
    "User-Agent": "tollkeeper",
    "anthropic-version": "2023-06-01",
}


@frozen
class _Open:
    client: "anthropic.AsyncAnthropic"
    slots: Slots


class Connections:
    """Sends requests to one base URL, each with the key that it is given, and once."""

    def __init__(
        self, base_url: str, *, limit: int, connect_timeout: timedelta, largest_response: int
    ) -> None:
        self._base_url = base_url
        self._limit = limit
        self._connect_timeout = connect_timeout
        self._largest = largest_response
        self._open: _Open | None = None

    async def open(self) -> None:
        """Make ready to connect, in the running loop; nothing is sent yet.

        Raises:
            ConfigurationError: the SDK is missing, or the adapter is in use in another loop.
        """
        await self._opened()

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        if self._open is not None:
            opened, self._open = self._open, None
            if opened.slots.stranded:
                with suppress(RuntimeError):  # the connections went with their loop
                    await opened.client.close()
            else:
                await opened.client.close()

    async def _opened(self) -> _Open:
        if self._open is not None:
            if self._open.slots.here():
                return self._open
            await self.close()
        client = make_client(self._base_url)
        slots = Slots(self._limit, patience=self._connect_timeout, port=PORT, adapter=ADAPTER)
        self._open = _Open(client, slots)
        return self._open

    @asynccontextmanager
    async def request(
        self,
        path: str,
        body: bytes | None = None,
        *,
        key: Secret | None,
        headers: dict[str, str] | None = None,
        idle: timedelta | None = None,
    ) -> AsyncIterator[Answer]:
        """Send one request and lend its answer; leaving closes what was not read to its end.

        *idle* bounds the time without a byte; None is for ever.

        Raises:
            PoolExhausted: all connections stayed in use for as long as one may take to connect.
            Unavailable, Timeout, CorruptResponse: no answer came; ambiguous once it was sent.
            TollkeeperError: the provider refuses.
        """
        opened = await self._opened()
        await opened.slots.take()
        try:
            exchange = Exchange(_headers(body, key, headers or {}))
            answer = Answer(
                await self._send(opened.client, path, body, exchange, idle), largest=self._largest
            )
            try:
                yield answer
            finally:
                await answer.close()
        finally:
            opened.slots.release()

    async def _send(
        self,
        client: "anthropic.AsyncAnthropic",
        path: str,
        body: bytes | None,
        exchange: Exchange,
        idle: timedelta | None,
    ) -> "httpx2.Response":
        import httpx2

        timeout = httpx2.Timeout(
            None if idle is None else idle.total_seconds(),
            connect=self._connect_timeout.total_seconds(),
            pool=None,
        )
        fault: TollkeeperError
        try:
            return await send(client, path, body, exchange, timeout)
        except asyncio.CancelledError as error:
            raise without_frames(error) from None  # the HTTP client's frames hold our headers
        except network_errors() as error:
            if exchange.refusal is None:
                fault = transport_error(error)
            else:
                fault = provider_error(exchange.refusal, exchange.refused_with)
        raise fault  # outside the except, so that what holds our headers is not its context


def _headers(body: bytes | None, key: Secret | None, more: dict[str, str]) -> dict[str, str]:
    headers = {**_OWN, **more}
    if body is not None:
        headers["Content-Type"] = "application/json"
        headers["Content-Length"] = str(len(body))
    if key is not None:
        headers["x-api-key"] = key.reveal()
    return headers
