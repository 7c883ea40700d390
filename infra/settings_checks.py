"""What can be wrong with settings: first their types, then their values."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from tollkeeper.domain.errors import DomainError
from tollkeeper.domain.key_tokens import checked_prefix
from tollkeeper.domain.money import Money
from tollkeeper.domain.prices import ModelPrices
from tollkeeper.domain.rate_limits import RateLimit
from tollkeeper.domain.secret import MASK, Secret
from tollkeeper.infra.access_settings import WITHOUT_PEPPER as WITHOUT_PEPPER
from tollkeeper.infra.access_settings import access_faults
from tollkeeper.infra.call_settings import call_faults
from tollkeeper.infra.registry import fault_of
from tollkeeper.infra.settings_places import KEYED, POOLED, place_faults

if TYPE_CHECKING:
    from tollkeeper.infra.settings import Settings

_PORTS = (
    *("store", "cache", "rate_limiter", "lock", "event_log", "broadcast"),
    *("telemetry", "schema_validator", "cipher"),
)
_OPTIONAL_PORTS = (
    *("tables", "secret_source", "token_counter"),
    *("key_encryption", "token_verifier", "report_verifier"),
)
_PROVIDERS = {
    "chat_models": "chat_model",
    "embedders": "embedder",
    "transcribers": "transcriber",
}
_DURATIONS = (
    *("call_timeout", "hold_ttl", "close_timeout", "answer_ttl"),
    *("retry_pause", "longest_retry_pause", "breaker_pause"),
)
_OPTIONAL_DURATIONS = ("response_ttl", "attempt_timeout", "hedge_after", "key_cache_ttl")
_MAY_BE_ZERO = (
    *("close_timeout", "retry_pause", "longest_retry_pause", "hedge_after", "key_cache_ttl"),
)
_NUMBERS = {
    "default_max_tokens": 10**9,
    "tries": 10,
    "breaker_failures": 10**6,
    "limit_processes": 10_000,
}
_LONGEST = timedelta(days=365)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_USER = re.compile(r"//.*@")
# Each option of a query: a value without a name is masked whole.
_OPTION = re.compile(r"(?<=[?&])([^=&#]*=)?[^&#]+")

_TYPES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(("environment", *_PORTS, "key_prefix", "currency"), (str, "text")),
    **dict.fromkeys(
        ("token_account_claim", "token_account_prefix", "token_scopes_claim"), (str, "text")
    ),
    **dict.fromkeys(("attempts_per_client", "attempts_overall"), (RateLimit, "a RateLimit")),
    **dict.fromkeys(("audit_key", "token_secret"), ((Secret, type(None)), "a Secret")),
    "pepper_secret": ((str, type(None)), "text"),
    **dict.fromkeys(_DURATIONS, (timedelta, "a timedelta")),
    "key_pepper": ((Secret, type(None)), "a Secret"),
    **dict.fromkeys(_OPTIONAL_DURATIONS, ((timedelta, type(None)), "a timedelta")),
    **dict.fromkeys(("price_book", "catalogue", *_OPTIONAL_PORTS), ((str, type(None)), "text")),
    **dict.fromkeys(
        ("only_known_models", "retry_ambiguous", "overflow_fallback", "filter_fallback"),
        (bool, "True or False"),
    ),
    "on_unsupported": (str, "text"),
    "default_price": ((ModelPrices, type(None)), "a ModelPrices"),
}
_ENTRY_TYPES: Mapping[str, tuple[type, str]] = {
    **dict.fromkeys(_PROVIDERS, (str, "text")),
    "api_keys": (Secret, "a Secret"),
    "key_pools": (tuple, "a list of PoolKeys"),
    "fallbacks": (tuple, "a list of models"),
    "concurrency": (int, "a number"),
}


def redacted(value: object) -> str:
    """Show *value*, a URL or a table of URLs, without users, passwords and values of options."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name!r}: {redacted(url)}' for name, url in value.items())}}}"
    if not isinstance(value, str):
        return repr(value)
    return repr(_OPTION.sub(rf"\1{MASK}", _USER.sub(f"//{MASK}@", value)))


def faults_of(settings: "Settings") -> list[str]:
    """List everything that is wrong; no value that could be a secret is repeated."""
    wrong = dict(_type_faults(settings))
    faults = [f"{name} must be {what}" for name, what in wrong.items()]
    urls = {port: getattr(settings, port) for port in _PORTS if port not in wrong}
    for port in _OPTIONAL_PORTS:
        if port not in wrong and getattr(settings, port) is not None:
            urls[port] = getattr(settings, port)
    faults.extend(fault for port, url in urls.items() if (fault := fault_of(port, url)))
    for field in _PROVIDERS:
        if field not in wrong:
            faults.extend(_provider_faults(field, getattr(settings, field)))
    for name, check in (("key_prefix", checked_prefix), ("currency", Money.zero)):
        try:
            if name not in wrong:
                check(getattr(settings, name))
        except DomainError as error:
            faults.append(f"{name}: {error}")
    faults.extend(_number_faults(settings, wrong))
    faults.extend(access_faults(settings, wrong))
    if not {"api_keys", "key_pools", *_PROVIDERS} & wrong.keys():
        faults.extend(_api_key_faults(settings))
        if "shared_keys" not in wrong:
            faults.extend(place_faults(settings))
    faults.extend(call_faults(settings, wrong))
    return faults


def _type_faults(settings: "Settings") -> Iterator[tuple[str, str]]:
    for name, (kinds, what) in _TYPES.items():
        if not isinstance(getattr(settings, name), kinds):
            yield name, what
    if settings.environment == "":
        yield "environment", "the name of one"
    for name, (kind, what) in _ENTRY_TYPES.items():
        table = getattr(settings, name)
        if not isinstance(table, Mapping) or not all(
            isinstance(key, str) and isinstance(value, kind) for key, value in table.items()
        ):
            yield name, f"a table from names to {what} each"
    for name in ("retired_key_peppers", "retired_audit_keys"):
        if not _is_list(getattr(settings, name), Secret):
            yield name, "a list of Secrets"
    for name in ("shared_keys", "token_granted_scopes", "token_allowed_scopes"):
        value = getattr(settings, name)
        if not _is_list(value, str) and (value is not None or name != "token_allowed_scopes"):
            yield name, "a list of names"
    for name, most in _NUMBERS.items():
        value = getattr(settings, name)
        if type(value) is not int or not 1 <= value <= most:
            limit = "1 or more" if most >= 10**6 else f"1 to {most}"
            yield name, f"a whole number, {limit}"


def _is_list(value: object, kind: type) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, kind) for each in value)


def _provider_faults(field: str, urls: Mapping[str, str]) -> Iterator[str]:
    for name, url in urls.items():
        fault = fault_of(_PROVIDERS[field], url)
        if fault is not None:
            yield f"{field}.{name}: {fault}"
        if not _NAME.fullmatch(name):
            yield f"{field}: {name!r} is no name of a provider (a-z, 0-9, _ and -)"


def _number_faults(settings: "Settings", wrong: Mapping[str, str]) -> Iterator[str]:
    for name in (*_DURATIONS, *_OPTIONAL_DURATIONS):
        value = getattr(settings, name)
        if name in wrong or value is None:
            continue
        if value < timedelta(0) or (value == timedelta(0) and name not in _MAY_BE_ZERO):
            yield f"{name} must be positive"
        if value > _LONGEST:
            yield f"{name} must be 365 days at most"
    comparable = not {"hold_ttl", "call_timeout"} & wrong.keys()
    if comparable and settings.hold_ttl <= settings.call_timeout:
        yield "hold_ttl must exceed call_timeout: else holds expire under living calls"


def _is_blank(key: Secret) -> bool:
    text = key.reveal()
    return not text or not text.isprintable() or " " in text


def _api_key_faults(settings: "Settings") -> Iterator[str]:
    for name, key in settings.api_keys.items():
        if _is_blank(key):
            yield f"api_keys.{name} is empty or holds blanks"
        if not any(name in getattr(settings, field) for field in KEYED):
            yield (
                f"api_keys.{name}: no provider of that name is in chat_models, embedders or "
                "transcribers"
            )
    for name, keys in settings.key_pools.items():
        if not any(name in getattr(settings, field) for field in POOLED):
            yield f"key_pools.{name}: no provider of that name is in chat_models or embedders"
        if name in settings.api_keys:
            yield f"key_pools.{name}: the provider has a key in api_keys too; choose one of them"
        secrets = [getattr(key, "secret", None) for key in keys]
        if any(_is_blank(secret) for secret in secrets if secret is not None):
            yield f"key_pools.{name}: a key is empty or holds blanks"
        labels = [getattr(key, "label", "") for key in keys]
        if not keys or len(set(labels)) < len(labels):
            yield f"key_pools.{name}: name each of its keys once (label)"
        if any(getattr(key, "name", "") for key in keys) and settings.secret_source is None:
            yield f"key_pools.{name} names secrets: set secret_source to where they are"
