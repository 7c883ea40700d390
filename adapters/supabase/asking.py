"""One request of the supabase client's: made, sent, read, and sent again where that is safe."""

import asyncio
import random
import re
from collections.abc import Callable
from datetime import timedelta
from enum import Enum, auto
from typing import Any

import httpx
from postgrest import AsyncPostgrestClient

from tollkeeper.adapters.supabase.answers import Answer, read_answer
from tollkeeper.adapters.supabase.failures import broken, closed
from tollkeeper.domain.errors import InvalidRequest, PortError

Build = Callable[[AsyncPostgrestClient], Any]
"""Makes one request of the client's, such as ``client.table("notes").select("*")``; not run yet."""
_TRIES = 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_PATH = re.compile(r"(rpc/)?[A-Za-z_][A-Za-z0-9_]{0,62}")


class Effect(Enum):
    """What a request does, and so what may be done about one whose answer got lost."""

    READS = auto()
    """It changes nothing: it is asked again."""
    REPEATS = auto()
    """It changes something, and asked again changes nothing more: it is asked again."""
    CHANGES = auto()
    """It is asked again only where it was certainly not done."""


def checked_name(name: str) -> str:
    """Return *name*, which may stand in a URL as the name of a table, column or function.

    Raises:
        InvalidRequest: it may not.
    """
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
        raise InvalidRequest("a name is 1-63 letters, digits or _, the first of them no digit")
    return name


async def ask_patiently(
    client: AsyncPostgrestClient,
    build: Build,
    *,
    effect: Effect,
    deadline: float,
    port: str,
    as_user: bool,
) -> Answer:
    """Ask, again after failures that pass, before *deadline* of the loop's clock.

    Raises:
        TollkeeperError: it was refused, or failed for good.
    """
    loop = asyncio.get_running_loop()
    tries, doubtful = 0, False
    while True:
        try:
            return await _ask_once(client, build, port=port, as_user=as_user)
        except PortError as error:
            tries += 1
            # What one try may have done stays in doubt, whatever becomes of the next.
            doubtful = doubtful or (error.ambiguous and effect is not Effect.READS)
            error.ambiguous = doubtful
            again = error.retryable and not (effect is Effect.CHANGES and doubtful)
            pause = random.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**tries))  # noqa: S311 - it spreads callers, and guards nothing
            pause += (error.retry_after or timedelta(0)).total_seconds()
            if not again or tries >= _TRIES or loop.time() + pause >= deadline:
                raise
        await asyncio.sleep(pause)


async def _ask_once(
    client: AsyncPostgrestClient, build: Build, *, port: str, as_user: bool
) -> Answer:
    try:
        request = build(client).request
        # What the client joins to its URL may climb out of it: "../auth/v1/admin" does.
        path = str(request.path).removeprefix(f"{str(client.base_url).rstrip('/')}/")
        if not _PATH.fullmatch(path):
            raise InvalidRequest("a name in the request is none that may stand in a URL")
        response = await request.send(httpx.Headers())
    except (httpx.HTTPError, ValueError, OverflowError) as error:
        typed = broken(error, port=port)
        if typed is None:
            raise
        raise typed from typed.__cause__
    except RuntimeError:
        # Another task closed the connections meanwhile.
        if client.session.is_closed:
            raise closed(port) from None
        raise
    return read_answer(response, port=port, as_user=as_user)
