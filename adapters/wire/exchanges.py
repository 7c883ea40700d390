"""What chat models and embedders do alike with an answer."""

import asyncio
from datetime import timedelta

from tollkeeper.adapters.wire.answers import Answer
from tollkeeper.adapters.wire.errors import Errors
from tollkeeper.adapters.wire.faults import decode_fault
from tollkeeper.domain.errors import PortError, TollkeeperError

HEALTH_PATIENCE = timedelta(seconds=15)
_LARGEST_FAULT = 64 * 1024
_FAULT_PATIENCE = 5.0  # seconds for the body of an error; its status alone says enough


async def whole_body(answer: Answer, errors: Errors) -> bytes:
    """Read the body of an answer that says what was asked for.

    Raises:
        TollkeeperError: it says what went wrong, or is a web page.
    """
    if answer.status != 200:
        raise await fault_in(answer, errors)
    if answer.content_type == "text/html":
        raise errors.corrupt(
            "a web page answers in the provider's place: check the base URL", port=answer.port
        )
    return await answer.read_all()


async def fault_in(answer: Answer, errors: Errors) -> TollkeeperError:
    """Read an answer that says what went wrong, and make the error for it."""
    body = b""
    try:
        async with asyncio.timeout(_FAULT_PATIENCE):
            body = await answer.read_all(most=_LARGEST_FAULT)
    except (PortError, TimeoutError):
        pass  # the status alone says enough
    fault = decode_fault(body, status=answer.status)
    return errors.provider_error(fault, answer.headers, port=answer.port)
