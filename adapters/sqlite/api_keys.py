"""API keys as rows."""

import json
import sqlite3
from datetime import timedelta
from ipaddress import ip_network
from itertools import groupby
from typing import Any

from tollkeeper.adapters.sqlite.rows import (
    duration_to_micros,
    from_micros,
    from_micros_or_none,
    to_micros,
    to_micros_or_none,
)
from tollkeeper.domain.api_keys import ApiKey, KeySeal, KeySecret
from tollkeeper.domain.key_limits import KeyLimit, OnOutage, Quota, QuotaPeriod
from tollkeeper.domain.rate_limits import RateLimit

COLUMNS = """k.id, k.account, k.name, k.scopes, k.prefix, k.created_at, k.expires_at, k.revoked_at,
    k.last_used_at, k.version, k.description, k.disabled_at, k.limits, k.quota_calls,
    k.quota_period, k.networks, k.metadata, k.seal_pepper_id, k.seal, s.kid, s.verifier,
    s.pepper_id, s.not_before, s.not_after"""
"""A key, and one of its secrets."""
_SECRET = 19
"""How many columns are the key's."""
_INSERT = """
    INSERT INTO api_keys (account, name, scopes, prefix, created_at, expires_at, revoked_at,
        version, description, disabled_at, limits, quota_calls, quota_period, networks, metadata,
        seal_pepper_id, seal, id, last_used_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE = """
    UPDATE api_keys SET account = ?, name = ?, scopes = ?, prefix = ?, created_at = ?,
        expires_at = ?, revoked_at = ?, version = ?, description = ?, disabled_at = ?, limits = ?,
        quota_calls = ?, quota_period = ?, networks = ?, metadata = ?, seal_pepper_id = ?, seal = ?
    WHERE id = ?
"""
_INSERT_VERIFIER = """
    INSERT INTO key_secrets (key_id, position, kid, verifier, pepper_id, not_before, not_after)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_DELETE_VERIFIERS = "DELETE FROM key_secrets WHERE key_id = ?"
_DELETE = "DELETE FROM api_keys WHERE id = ?"


def insert_key(connection: sqlite3.Connection, key: ApiKey) -> None:
    """Write a new key with its secrets."""
    connection.execute(_INSERT, (*_to_row(key), to_micros_or_none(key.last_used_at)))
    _insert_secrets(connection, key)


def update_key(connection: sqlite3.Connection, key: ApiKey) -> None:
    """Write all of a key anew but when it was last used."""
    connection.execute(_UPDATE, _to_row(key))
    connection.execute(_DELETE_VERIFIERS, (key.id,))
    _insert_secrets(connection, key)


def delete_key(connection: sqlite3.Connection, key_id: str) -> None:
    """Take a key away with its secrets."""
    connection.execute(_DELETE_VERIFIERS, (key_id,))
    connection.execute(_DELETE, (key_id,))


def keys_from_rows(rows: list[tuple[Any, ...]]) -> tuple[ApiKey, ...]:
    """Read rows of :data:`COLUMNS`, those of one key beside each other."""
    return tuple(_from_group(list(group)) for _, group in groupby(rows, key=lambda row: row[0]))


def _from_group(rows: list[tuple[Any, ...]]) -> ApiKey:
    key_id, account, name, scopes, prefix, created, expires, revoked, used, version, *more = rows[0]
    described, disabled, limits, calls, period, networks, metadata, pepper, mac, *_ = more
    return ApiKey(
        id=key_id,
        account=account,
        name=name,
        scopes=frozenset(json.loads(scopes)),
        prefix=prefix,
        secrets=tuple(
            KeySecret(kid, verifier, pepper_id, from_micros(start), from_micros_or_none(end))
            for kid, verifier, pepper_id, start, end in (row[_SECRET:] for row in rows)
        ),
        created_at=from_micros(created),
        expires_at=from_micros_or_none(expires),
        revoked_at=from_micros_or_none(revoked),
        last_used_at=from_micros_or_none(used),
        version=version,
        description=described,
        disabled_at=from_micros_or_none(disabled),
        limits=tuple(
            KeyLimit(RateLimit(requests, timedelta(microseconds=micros)), OnOutage(policy))
            for requests, micros, policy in json.loads(limits)
        ),
        quota=None if calls is None else Quota(calls, QuotaPeriod(period)),
        networks=tuple(map(ip_network, json.loads(networks))),
        metadata=json.loads(metadata),
        seal=None if mac is None else KeySeal(pepper, mac),
    )


def _to_row(key: ApiKey) -> tuple[Any, ...]:
    return (
        key.account,
        key.name,
        json.dumps(sorted(key.scopes)),
        key.prefix,
        to_micros(key.created_at),
        to_micros_or_none(key.expires_at),
        to_micros_or_none(key.revoked_at),
        key.version,
        key.description,
        to_micros_or_none(key.disabled_at),
        json.dumps(
            [
                (each.limit.requests, duration_to_micros(each.limit.period), each.on_outage.value)
                for each in key.limits
            ]
        ),
        key.quota.calls if key.quota else None,
        key.quota.period.value if key.quota else None,
        json.dumps([str(network) for network in key.networks]),
        json.dumps(dict(key.metadata)),
        key.seal.pepper_id if key.seal else None,
        key.seal.mac if key.seal else None,
        key.id,
    )


def _insert_secrets(connection: sqlite3.Connection, key: ApiKey) -> None:
    connection.executemany(
        _INSERT_VERIFIER,
        [
            (
                key.id,
                position,
                secret.kid,
                secret.verifier,
                secret.pepper_id,
                to_micros(secret.not_before),
                to_micros_or_none(secret.not_after),
            )
            for position, secret in enumerate(key.secrets)
        ],
    )
