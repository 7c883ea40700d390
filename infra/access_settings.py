"""What can be wrong with the settings of keys, users, encryption and the audit log."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tollkeeper.domain.claims_rules import ClaimsRule
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.secret_strength import REMEDY, is_default, is_weak
from tollkeeper.infra.registry import fault_of, scheme_of

if TYPE_CHECKING:
    from tollkeeper.infra.settings import Settings

WITHOUT_PEPPER = ("local", "test")
"""The environments that may leave ``key_pepper`` out; a pepper is then made on first use."""
_CLAIMS: Mapping[str, str] = {
    "token_account_claim": "account_claim",
    "token_account_prefix": "account_prefix",
    "token_scopes_claim": "scopes_claim",
    "token_allowed_scopes": "allowed",
    "token_granted_scopes": "granted",
}
"""What of a rule each of them is."""
_LONGEST_TTL = timedelta(minutes=5)


def access_faults(settings: "Settings", wrong: Mapping[str, str]) -> Iterator[str]:
    """List what is wrong; fields in *wrong* are not even of their type, and are passed over."""
    yield from _pepper_faults(settings, wrong)
    for name in ("audit_key", "token_secret"):
        secret = getattr(settings, name)
        if name not in wrong and secret is not None and is_weak(secret):
            yield f"{name} is weak: use {REMEDY}"
    if "environment" not in wrong and settings.environment not in WITHOUT_PEPPER:
        for name in ("key_pepper", "audit_key", "token_secret"):
            secret = getattr(settings, name)
            if name in wrong or secret is None or is_weak(secret):
                continue
            if is_default(secret):
                yield f"{name} reads like a default that others know too: use {REMEDY}"
    if "retired_audit_keys" not in wrong and any(map(is_weak, settings.retired_audit_keys)):
        yield "one of retired_audit_keys is weak, so it was never an audit_key"
    ttl = settings.key_cache_ttl
    if "key_cache_ttl" not in wrong and ttl is not None and ttl > _LONGEST_TTL:
        yield "key_cache_ttl must be 5 minutes at most: so long a revoked key might pass"
    if not wrong.keys() & _CLAIMS.keys():
        yield from _claims_faults(settings)


def claims_rule(settings: "Settings") -> ClaimsRule:
    """Make the rule by which the claims of users' tokens become principals.

    Raises:
        InvalidRequest: the settings of claims and scopes are malformed, or do not fit together.
    """
    allowed = settings.token_allowed_scopes
    return ClaimsRule(
        account_claim=settings.token_account_claim,
        account_prefix=settings.token_account_prefix,
        scopes_claim=settings.token_scopes_claim,
        granted=frozenset(settings.token_granted_scopes),
        allowed=None if allowed is None else frozenset(allowed),
    )


def _claims_faults(settings: "Settings") -> Iterator[str]:
    faults = {}
    for name, argument in _CLAIMS.items():
        alone: dict[str, Any] = {argument: getattr(settings, name)}
        try:
            ClaimsRule(**alone)
        except InvalidRequest as error:
            faults[name] = error
    if not faults:
        try:
            claims_rule(settings)
        except InvalidRequest as error:
            faults["token_granted_scopes"] = error
    for name, fault in faults.items():
        yield f"{name}: {fault}"


def _pepper_faults(settings: "Settings", wrong: Mapping[str, str]) -> Iterator[str]:
    pepper, named = settings.key_pepper, settings.pepper_secret
    if "pepper_secret" not in wrong and named is not None:
        if pepper is not None:
            yield "key_pepper and pepper_secret are both set: choose one of them"
        if settings.secret_source is None:
            yield "pepper_secret names a secret: set secret_source to where it is"
        if settings.audit_key is None:
            yield (
                "audit_key is needed where the pepper is in a secret source, since what is chained "
                f"must be proved for longer: set TOLLKEEPER_AUDIT_KEY to {REMEDY}"
            )
    elif not wrong.keys() & {"environment", "key_pepper"}:
        if pepper is None and settings.environment not in WITHOUT_PEPPER:
            yield (
                f"key_pepper is needed in the environment {settings.environment}: set "
                f"TOLLKEEPER_KEY_PEPPER to {REMEDY}"
            )
        elif pepper is None and "store" not in wrong and _outlives_peppers(settings.store):
            yield (
                "key_pepper is needed for a store that other processes share, or its keys work in "
                f"none of them: set TOLLKEEPER_KEY_PEPPER to {REMEDY}"
            )
        if pepper is not None and is_weak(pepper):
            yield f"key_pepper is weak: use {REMEDY}"
    if "retired_key_peppers" not in wrong and any(map(is_weak, settings.retired_key_peppers)):
        yield "one of retired_key_peppers is weak, so it was never a key_pepper"


def _outlives_peppers(store: str) -> bool:
    # A pepper that is made lives in the process, or in a file beside SQLite's.
    return scheme_of(store) not in ("memory", "sqlite") and fault_of("store", store) is None
