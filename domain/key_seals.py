"""Seals of API keys: a MAC over a key's record, so that who can write the table can mint nothing.

Not sealed is when the key was last used, which moves by itself.
"""

import hmac
import json
from datetime import timedelta

from attrs import evolve

from tollkeeper.domain.api_keys import ApiKey, KeySeal, KeySecret
from tollkeeper.domain.instants import to_micros_or_none
from tollkeeper.domain.key_tokens import Pepper

_MICROSECOND = timedelta(microseconds=1)
_written = json.JSONEncoder(separators=(",", ":")).encode


def sealed_text(key: ApiKey) -> bytes:
    """Write what a seal covers; two keys that differ in any of it are written differently."""
    fields = [
        "apikey-seal/v1",
        *(key.id, key.account, key.name, key.description, key.prefix, key.version),
        sorted(key.scopes),
        *map(to_micros_or_none, (key.created_at, key.expires_at, key.revoked_at, key.disabled_at)),
        [
            [each.limit.requests, each.limit.period // _MICROSECOND, each.on_outage]
            for each in key.limits
        ],
        None if key.quota is None else [key.quota.calls, key.quota.period],
        [str(network) for network in key.networks],
        sorted(key.metadata.items()),
        [_secret_fields(secret) for secret in key.secrets],
    ]
    return _written(fields).encode()


def _secret_fields(secret: KeySecret) -> list[object]:
    return [
        secret.kid,
        secret.verifier.hex(),
        secret.pepper_id,
        to_micros_or_none(secret.not_before),
        to_micros_or_none(secret.not_after),
    ]


def sealed(key: ApiKey, pepper: Pepper) -> ApiKey:
    """Return *key* with its seal under *pepper*."""
    mac = hmac.digest(pepper.sealing_key, sealed_text(key), "sha256")
    return evolve(key, seal=KeySeal(pepper.id, mac))


def is_intact(key: ApiKey, pepper: Pepper) -> bool:
    """Whether *key* is as it was when it was sealed under *pepper*."""
    if key.seal is None:
        return False
    mac = hmac.digest(pepper.sealing_key, sealed_text(key), "sha256")
    return hmac.compare_digest(mac, key.seal.mac)
