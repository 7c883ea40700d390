"""API keys as JSON documents, by the names of the columns of ``api_keys`` and ``key_secrets``."""

from datetime import timedelta
from ipaddress import ip_network

from tollkeeper.adapters.sql.documents import (
    Document,
    bytes_of,
    bytes_text,
    member,
    optional,
    optional_time,
    texts,
    time_of,
    time_or_none,
    time_text,
)
from tollkeeper.domain.api_keys import ApiKey, KeySeal, KeySecret
from tollkeeper.domain.key_limits import KeyLimit, OnOutage, Quota, QuotaPeriod
from tollkeeper.domain.rate_limits import RateLimit

_MICROSECOND = timedelta(microseconds=1)


def key_document(key: ApiKey) -> dict[str, object]:
    """Write *key* as ``add_key`` and ``replace_key`` take it."""
    quota, seal = key.quota, key.seal
    return {
        "id": key.id,
        "account": key.account,
        "name": key.name,
        "description": key.description,
        "scopes": sorted(key.scopes),
        "prefix": key.prefix,
        "created_at": time_text(key.created_at),
        "expires_at": time_or_none(key.expires_at),
        "revoked_at": time_or_none(key.revoked_at),
        "disabled_at": time_or_none(key.disabled_at),
        "last_used_at": time_or_none(key.last_used_at),
        "version": key.version,
        "limits": [_limit_document(limit) for limit in key.limits],
        "quota_calls": None if quota is None else quota.calls,
        "quota_period": None if quota is None else quota.period.value,
        "networks": [str(network) for network in key.networks],
        "metadata": dict(key.metadata),
        "seal": None if seal is None else bytes_text(seal.mac),
        "seal_pepper_id": None if seal is None else seal.pepper_id,
        "secrets": [_secret_document(secret) for secret in key.secrets],
    }


def key_from_document(document: Document) -> ApiKey:
    """Read a document of ``key_documents``."""
    metadata = member(document, "metadata", dict)
    if not all(type(value) is str for value in metadata.values()):
        raise TypeError
    seal = optional(document, "seal", str)
    calls = optional(document, "quota_calls", int)
    return ApiKey(
        id=member(document, "id", str),
        account=member(document, "account", str),
        name=member(document, "name", str),
        scopes=frozenset(texts(document, "scopes")),
        prefix=member(document, "prefix", str),
        secrets=tuple(map(_secret_of, member(document, "secrets", list))),
        created_at=time_of(document, "created_at"),
        expires_at=optional_time(document, "expires_at"),
        revoked_at=optional_time(document, "revoked_at"),
        last_used_at=optional_time(document, "last_used_at"),
        version=member(document, "version", int),
        description=member(document, "description", str),
        disabled_at=optional_time(document, "disabled_at"),
        limits=tuple(map(_limit_of, member(document, "limits", list))),
        quota=None if calls is None else Quota(calls, QuotaPeriod(document["quota_period"])),
        networks=tuple(map(ip_network, texts(document, "networks"))),
        metadata=metadata,
        seal=None
        if seal is None
        else KeySeal(member(document, "seal_pepper_id", str), bytes_of(seal)),
    )


def _limit_document(each: KeyLimit) -> dict[str, object]:
    return {
        "requests": each.limit.requests,
        "period": each.limit.period // _MICROSECOND,
        "on_outage": each.on_outage.value,
    }


def _limit_of(document: Document) -> KeyLimit:
    period = member(document, "period", int) * _MICROSECOND
    limit = RateLimit(member(document, "requests", int), period)
    return KeyLimit(limit, OnOutage(document["on_outage"]))


def _secret_document(secret: KeySecret) -> dict[str, object]:
    return {
        "kid": secret.kid,
        "verifier": bytes_text(secret.verifier),
        "pepper_id": secret.pepper_id,
        "not_before": time_text(secret.not_before),
        "not_after": time_or_none(secret.not_after),
    }


def _secret_of(document: Document) -> KeySecret:
    return KeySecret(
        kid=member(document, "kid", str),
        verifier=bytes_of(document["verifier"]),
        pepper_id=member(document, "pepper_id", str),
        not_before=time_of(document, "not_before"),
        not_after=optional_time(document, "not_after"),
    )
