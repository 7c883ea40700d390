"""What processes tell each other about keys: which record is out of date, and which secrets."""

import json
from collections.abc import Iterable

from attrs import frozen

from tollkeeper.domain.api_keys import ApiKey

TOPIC = "tollkeeper/keys"
_GONE = 1 << 62
"""More than any version: a key that was deleted never comes back."""


@frozen
class KeyChanged:
    """The key is now at *version*; what is kept of an older one, under any of *kids*, is stale."""

    key_id: str
    version: int
    kids: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """Write it as a message."""
        return json.dumps([self.key_id, self.version, *self.kids]).encode()


def change_of(*keys: ApiKey) -> KeyChanged:
    """Say that a key went from the first of *keys* to the last."""
    return KeyChanged(keys[-1].id, keys[-1].version, _kids(keys))


def end_of(key: ApiKey) -> KeyChanged:
    """Say that *key* is gone."""
    return KeyChanged(key.id, _GONE, _kids([key]))


def _kids(keys: Iterable[ApiKey]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(secret.kid for key in keys for secret in key.secrets))


def read_change(data: bytes) -> KeyChanged | None:
    """Read a message; None if it is none of ours, of which anything might be true."""
    try:
        match json.loads(data):
            case [str() as key_id, int() as version, *kids] if type(version) is int and all(
                isinstance(kid, str) for kid in kids
            ):
                return KeyChanged(key_id, version, tuple(kids))
    except (ValueError, RecursionError):  # whoever may publish may nest as deep as 8 KiB go
        pass
    return None
