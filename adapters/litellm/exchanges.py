"""What chat models and embedders do alike."""

from datetime import timedelta

from tollkeeper.adapters.litellm.connections import Connections
from tollkeeper.adapters.litellm.faults import ERRORS
from tollkeeper.adapters.litellm.sealed import Sealed
from tollkeeper.adapters.wire.exchanges import HEALTH_PATIENCE, fault_in


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
        "GET", base_url + path, headers=headers, total=min(total, HEALTH_PATIENCE)
    ) as answer:
        refused = answer.status in (401, 403) and bool(headers)
        if refused or answer.status >= 500 or 300 <= answer.status < 400:
            raise await fault_in(answer, ERRORS)
        return f"{base_url} answers"
