"""A client of one AWS service, whose blocking calls run in a few threads under a deadline."""

import asyncio
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Self

from anyio import CapacityLimiter, to_thread

from tollkeeper.adapters.aws.addresses import Address, Credentials
from tollkeeper.domain.errors import PoolExhausted, Timeout, Unavailable

if find_spec("boto3") is None:
    # It is imported on opening, in a thread; that it is missing must be known when it is chosen.
    raise ModuleNotFoundError("No module named 'boto3'", name="boto3")

_ADAPTER = "aws"


class AwsClient:
    """Asks *service* (as boto3 calls it) at *address*; open it with ``async with``.

    *port* is the port that it works for, *title* what texts call the service. At most as many
    calls as the address's *pool_size* run at a time, each in a thread. A caller who gives up, or
    whose time is over, leaves the thread to end by itself.
    """

    def __init__(
        self, service: str, address: Address, credentials: Credentials, *, port: str, title: str
    ) -> None:
        self._service = service
        self._address = address
        self._credentials = credentials
        self._port = port
        self._title = title
        self._client: Any = None

    def __repr__(self) -> str:
        return f"AwsClient({self._service!r}, {self._address.region!r})"

    async def __aenter__(self) -> Self:
        """Load boto3, and make the client; nothing is sent.

        Raises:
            ConfigurationError: the profile, or a file of the AWS configuration, is wrong.
        """
        self._limiter = CapacityLimiter(self._address.pool_size)
        self._client = await to_thread.run_sync(self._make)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await to_thread.run_sync(client.close)

    def _make(self) -> Any:
        # Imported here: it takes half a second, and the loop must not stand still for it.
        from tollkeeper.adapters.aws.quiet import make_client

        try:
            return make_client(self._service, self._address, self._credentials)
        except Exception as error:
            failed = _translated(error, self._port, self._title)
        # Outside of the handler: what was caught has frames that hold the credentials.
        raise failed

    def deadline(self) -> float:
        """Return when, by the event loop's clock, an operation that begins now has to end."""
        return asyncio.get_running_loop().time() + self._address.timeout

    async def call(self, action: str, /, until: float, **parameters: object) -> Mapping[str, Any]:
        """Return the answer to *action*, a method of the client, at most *until* that moment.

        A connection that was kept open, and that AWS closed meanwhile, is tried once more.

        Raises:
            PortError: what AWS, or the way there, answered; ``provider_code`` is AWS's own.
            Timeout: there was no answer in time.
            PoolExhausted: no thread was free in time; nothing was sent.
            Unavailable: it is not open (code ``not_open``).
            ConfigurationError: the profile, or a file of the AWS configuration, is wrong.
        """
        client = self._client
        if client is None:
            raise not_open(self._port, self._title)
        began: list[bool] = []
        try:
            async with asyncio.timeout_at(until):
                return await to_thread.run_sync(
                    lambda: _ask(getattr(client, action), parameters, began),
                    abandon_on_cancel=True,
                    limiter=self._limiter,
                )
        except TimeoutError:
            if began:
                failed: Exception = _late(self._port, self._title)
            else:
                failed = _busy(self._port, self._title)
        except Exception as error:
            failed = _translated(error, self._port, self._title)
        # Outside of the handlers: what they caught has frames that hold keys.
        raise failed


def not_open(port: str, title: str) -> Unavailable:
    """Make the answer to a use outside of ``async with``."""
    return Unavailable(
        f"{title} is not open; use it inside `async with`",
        port=port,
        adapter=_ADAPTER,
        code="not_open",
    )


def _ask(
    action: Callable[..., Mapping[str, Any]], parameters: Mapping[str, object], began: list[bool]
) -> Mapping[str, Any]:
    from tollkeeper.adapters.aws.failures import was_dropped

    began.append(True)
    try:
        return action(**parameters)
    except Exception as error:
        if not was_dropped(error):
            raise
    return action(**parameters)


def _translated(error: Exception, port: str, title: str) -> Exception:
    from tollkeeper.adapters.aws.failures import translate

    return translate(error, port=port, service=title)


def _late(port: str, title: str) -> Timeout:
    return Timeout(f"{title} did not answer in time", port=port, adapter=_ADAPTER)


def _busy(port: str, title: str) -> PoolExhausted:
    return PoolExhausted(
        f"all threads for {title} are busy; raise pool_size or ask less at once",
        port=port,
        adapter=_ADAPTER,
    )
