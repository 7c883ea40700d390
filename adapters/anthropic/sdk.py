"""The anthropic SDK, with a client that is ours alone. Imported on first use.

The SDK reads the environment in several places, and shows the headers of a request to whoever
logs at its lowest level. So it is given no key and no header that matters: what goes out is put
together here and laid over the SDK's request in the last moment, by a hook of our HTTP client.
"""

import asyncio
import logging
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

from attrs import define, field

from tollkeeper.adapters.anthropic.faults import decode_fault
from tollkeeper.adapters.wire.faults import ProviderFault
from tollkeeper.domain.errors import ConfigurationError

if TYPE_CHECKING:
    import anthropic
    import httpx2

_LARGEST_FAULT = 64 * 1024
_FAULT_PATIENCE = 5.0  # seconds for the body of an error; its status alone says enough
_SDK_LOGGERS = ("anthropic", "httpx2")


@define
class Exchange:
    """One request: the headers that go out with it, and what came in place of an answer."""

    headers: dict[str, str] = field(repr=False)
    refusal: ProviderFault | None = None
    refused_with: "httpx2.Headers | None" = None


_exchange: ContextVar[Exchange] = ContextVar("tollkeeper_anthropic_exchange")


class Body(bytes):
    """A request's body, which a log of the SDK's options does not show."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


def make_client(base_url: str) -> "anthropic.AsyncAnthropic":
    """Make a client of the SDK for *base_url*.

    Nothing of the environment reaches a request. Redirects are not followed, cookies not kept,
    no request is sent twice, and no span is made.

    Raises:
        ConfigurationError: the SDK is not installed (code ``extra_missing``).
    """
    sdk, httpx2 = _import_sdk()
    from tollkeeper.adapters.anthropic.pools import Pools

    http = httpx2.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        transport=Pools(),
        event_hooks={"request": [_lay_over], "response": [_take_refusal]},
    )
    client: anthropic.AsyncAnthropic = sdk.AsyncAnthropic(
        # Values that are given, even empty ones, keep the SDK from looking for them elsewhere.
        api_key="",
        webhook_key="",
        base_url=base_url,
        max_retries=0,
        open_telemetry=False,
        http_client=http,
    )
    return client


def _import_sdk() -> tuple[Any, Any]:
    with _logging_left_alone():
        try:
            import anthropic
            import httpx2
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"{error.name} is not installed; run: pip install 'tollkeeper[anthropic]'",
                code="extra_missing",
            ) from error
    return anthropic, httpx2


@contextmanager
def _logging_left_alone() -> Iterator[None]:
    """Undo what the SDK's import does to the host's logging where ``ANTHROPIC_LOG`` is set."""
    if "anthropic" in sys.modules:
        yield
        return
    root = logging.getLogger()
    handlers = list(root.handlers)
    levels = {name: logging.getLogger(name).level for name in _SDK_LOGGERS}
    try:
        yield
    finally:
        for handler in [each for each in root.handlers if each not in handlers]:
            root.removeHandler(handler)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


async def send(
    client: "anthropic.AsyncAnthropic",
    path: str,
    body: bytes | None,
    exchange: Exchange,
    timeout: "httpx2.Timeout",
) -> "httpx2.Response":
    """Send one request and return the answer, not yet read; without a *body* it is a GET.

    Raises whatever the SDK raises; *exchange* then says what the provider refused, if it did.
    """
    import anthropic
    import httpx2

    # No key: the real headers are laid over these. The type keeps the SDK from making a form.
    placed: Any = {"Authorization": anthropic.Omit(), "Content-Type": "application/json"}
    options: Any = {"headers": placed, "timeout": timeout}
    kind: Any = {"cast_to": httpx2.Response, "stream": True, "stream_cls": anthropic.AsyncStream}
    response: httpx2.Response
    token = _exchange.set(exchange)
    try:
        if body is None:
            response = await client.get(path, options=options, **kind)
        else:
            response = await client.post(path, content=Body(body), options=options, **kind)
    finally:
        _exchange.reset(token)
    return response


async def _lay_over(request: "httpx2.Request") -> None:
    """Send what the exchange says and nothing else, wherever the SDK found it."""
    import httpx2

    host = request.url.netloc.decode("ascii")
    request.headers = httpx2.Headers({"Host": host, **_exchange.get().headers})


class _RefusedError(Exception):
    """The provider refused; the exchange says what."""


async def _take_refusal(response: "httpx2.Response") -> None:
    """Read what went wrong, within bounds: the SDK would read without any."""
    import httpx2

    if response.status_code == 200:
        return
    body = b""
    try:
        async with asyncio.timeout(_FAULT_PATIENCE):
            async with aclosing(response.aiter_bytes()) as pieces:
                async for piece in pieces:
                    body += piece
                    if len(body) >= _LARGEST_FAULT:
                        break
    except (httpx2.HTTPError, TimeoutError):
        pass  # the status alone says enough
    exchange = _exchange.get()
    exchange.refusal = decode_fault(body, status=response.status_code)
    exchange.refused_with = response.headers
    raise _RefusedError
