"""What processes tell each other about data keys: whose open ones are out of date."""

import json

from tollkeeper.domain.checks import checked_account
from tollkeeper.domain.errors import InvalidRequest

TOPIC = "tollkeeper/data-keys"


def account_message(account: str) -> bytes:
    """Write that data keys of *account* were replaced or destroyed."""
    return json.dumps(account).encode()


def read_account(data: bytes) -> str | None:
    """Read a message; None if it is none of ours, of which anything might be true."""
    try:
        return checked_account(json.loads(data))
    except (ValueError, RecursionError, InvalidRequest):
        return None
