"""What chat models and embedders do alike with an answer."""

import asyncio
from datetime import timedelta

from tollkeeper.adapters.litellm.answers import Answer
from tollkeeper.adapters.litellm.connections import Connections
from tollkeeper.adapters.litellm.faults import corrupt, decode_fault, provider_error
from tollkeeper.adapters.litellm.sealed import Sealed
from tollkeeper.domain.errors import PortError, TollkeeperError

_LARGEST_FAULT = 64 * 1024
_FAULT_PATIENCE = 5.0  # seconds for the body of an error; its status alone says enough
_HEALTH_PATIENCE = timedelta(seconds=15)


async def whole_body(answer: Answer) -> bytes:
    """Read the body of an answer that says what was asked for.

    Raises:
        TollkeeperError: it says what went wrong, or is a web page.
    """
    if answer.status != 200:
        raise await fault_in(answer)
    if answer.content_type == "text/html":
        raise corrupt(
            "a web page answers in the provider's place: check the base URL", port=answer.port
        )
    return await answer.read_all()


async def fault_in(answer: Answer) -> TollkeeperError:
    """Read an answer that says what went wrong, and make the error for it."""
    body = b""
    try:
        async with asyncio.timeout(_FAULT_PATIENCE):
            body = await answer.read_all(most=_LARGEST_FAULT)
    except (PortError, TimeoutError):
        pass  # the status alone says enough
    fault = decode_fault(body, status=answer.status)
    return provider_error(fault, answer.headers, port=answer.port)


async def alive(
    connections: Connections,
    base_url: str,
    path: str,
    headers: Sealed,
    *,
    total: timedelta,
) -> str:
    """Ask the server for its models, with the key in *headers* if any; say that it answers.

    Raises:
        PortError: it does not answer, refuses the key, redirects, or says that it is down.
    """
    async with connections.request(
        "GET", base_url + path, headers=headers, total=min(total, _HEALTH_PATIENCE)
    ) as answer:
        refused = answer.status in (401, 403) and bool(headers)
        if refused or answer.status >= 500 or 300 <= answer.status < 400:
            raise await fault_in(answer)
        return f"{base_url} answers"
