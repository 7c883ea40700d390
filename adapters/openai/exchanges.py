"""What chat models and embedders do alike."""

from datetime import timedelta

from tollkeeper.adapters.openai.connections import Connections
from tollkeeper.adapters.openai.faults import ERRORS
from tollkeeper.adapters.wire.exchanges import HEALTH_PATIENCE, fault_in


async def alive(connections: Connections, base_url: str, *, total: timedelta) -> str:
    """Ask the server for its models, and say that it answers.

    Raises:
        PortError: it does not answer, refuses the key, redirects, or says that it is down.
    """
    async with connections.request("GET", "/models", total=min(total, HEALTH_PATIENCE)) as answer:
        if answer.status in (401, 403) or answer.status >= 500 or 300 <= answer.status < 400:
            raise await fault_in(answer, ERRORS)
        return f"{base_url} answers"
