"""Layering settings: the file's ``[default]``, its environment's table, environment variables."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tollkeeper.domain.errors import ConfigurationError, DomainError
from tollkeeper.domain.rate_limits import RateLimit
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.durations import parse_duration
from tollkeeper.infra.price_book import parse_prices
from tollkeeper.infra.settings_entries import read_models, read_names, read_pool, read_switch
from tollkeeper.infra.toml_text import parse_toml

PREFIX = "TOLLKEEPER_"
STANDARD_FILE = "tollkeeper.toml"
NOT_SETTINGS = ("TOLLKEEPER_ENVIRONMENT", "TOLLKEEPER_FILE", "TOLLKEEPER_KEY")
"""Variables that the command line reads."""
FOR_TESTS = "TOLLKEEPER_TEST_"
"""How variables begin that the tests read."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")
    return value


def _number(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if type(value) is not int:
        raise ValueError("must be a whole number")
    return value


def _secret(value: object, environ: Mapping[str, str]) -> Secret:
    """Read a secret: itself, ``env:NAME`` or ``file:/path``."""
    text = _text(value)
    kind, _, where = text.partition(":")
    if kind == "env" and where:
        if where not in environ:
            raise ValueError(f"the environment variable {where} is not set")
        return Secret(environ[where])
    if kind == "file" and where:
        try:
            return Secret(Path(where).read_text("utf-8").strip())
        except (OSError, UnicodeDecodeError):
            raise ValueError(f"cannot read the file {where}") from None
    return Secret(text)


def _secrets(value: object, environ: Mapping[str, str]) -> tuple[Secret, ...]:
    items = value.split() if isinstance(value, str) else value
    if not isinstance(items, list):
        raise ValueError("must be a list of texts")
    return tuple(_secret(item, environ) for item in items)


def _readers(environ: Mapping[str, str], folder: Path) -> Mapping[str, Callable[[object], object]]:
    """How each field is read from what TOML or a variable holds."""
    texts = ("store", "cache", "rate_limiter", "lock", "event_log", "broadcast", "telemetry")
    more_texts = ("tables", "secret_source", "token_counter", "schema_validator", "on_unsupported")
    access = ("cipher", "key_encryption", "token_verifier", "report_verifier", "pepper_secret")
    claims = ("token_account_claim", "token_account_prefix", "token_scopes_claim")
    durations = ("call_timeout", "hold_ttl", "close_timeout", "answer_ttl", "response_ttl")
    pauses = ("retry_pause", "longest_retry_pause", "breaker_pause", "attempt_timeout")
    numbers = ("default_max_tokens", "tries", "breaker_failures", "limit_processes")
    switches = ("only_known_models", "retry_ambiguous", "overflow_fallback", "filter_fallback")
    return {
        **dict.fromkeys((*texts, *more_texts, *access, *claims, "key_prefix", "currency"), _text),
        **dict.fromkeys((*durations, *pauses, "hedge_after", "key_cache_ttl"), parse_duration),
        **dict.fromkeys(numbers, _number),
        **dict.fromkeys(switches, read_switch),
        **dict.fromkeys(
            ("key_pepper", "audit_key", "token_secret"), lambda value: _secret(value, environ)
        ),
        **dict.fromkeys(
            ("retired_key_peppers", "retired_audit_keys"), lambda value: _secrets(value, environ)
        ),
        **dict.fromkeys(
            ("shared_keys", "token_granted_scopes", "token_allowed_scopes"), read_names
        ),
        **dict.fromkeys(
            ("attempts_per_client", "attempts_overall"), lambda value: RateLimit.parse(_text(value))
        ),
        "price_book": lambda value: str(folder / _text(value)),
        "catalogue": lambda value: str(folder / _text(value)),
    }


def _entry_readers(environ: Mapping[str, str]) -> Mapping[str, Callable[[object], object]]:
    """How each entry of the fields that are tables is read."""
    return {
        "chat_models": _text,
        "embedders": _text,
        "transcribers": _text,
        "key_pools": lambda value: read_pool(value, lambda text: _secret(text, environ)),
        "fallbacks": read_models,
        "concurrency": _number,
        "api_keys": lambda value: _secret(value, environ),
        "default_price": lambda value: value,
    }


def _read_file(path: Path | None) -> tuple[dict[str, Any], Path]:
    explicit = path is not None
    path = path or Path(STANDARD_FILE)
    if not explicit and not path.is_file():
        return {}, Path()
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot read the settings file {path}") from error
    return parse_toml(text, what=f"the settings file {path}"), path.parent


def _from_file(data: Mapping[str, Any], environment: str, faults: list[str]) -> dict[str, Any]:
    """Lay the environment's table over ``[default]``; tables inside are laid entry by entry."""
    exists = environment in tuple(data) or environment == "local"
    if not exists or environment == "default":
        known = ", ".join(sorted({"local", *data} - {"default"}))
        what = f"there is no environment {environment}"
        if environment == "":
            what = "the environment's name is empty"
        raise ConfigurationError(f"{what}; there are {known}", code="unknown_environment")
    merged: dict[str, Any] = {}
    for name in ("default", environment):
        table = data.get(name, {})
        if not isinstance(table, Mapping):
            faults.append(f"{name} must be a table, written [{name}]")
            continue
        for key, value in table.items():
            if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
                merged[key] = {**merged[key], **value}
            else:
                merged[key] = value
    faults.extend(
        f"{name} stands outside of a table; write it under [default]"
        for name, value in data.items()
        if not isinstance(value, Mapping) and name not in ("default", environment)
    )
    return merged


def _lay_environ(merged: dict[str, Any], environ: Mapping[str, str]) -> None:
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or variable.startswith(FOR_TESTS):
            continue
        if variable in NOT_SETTINGS:
            continue
        name, _, entry = variable.removeprefix(PREFIX).lower().partition("__")
        if entry:
            table = merged.get(name)
            merged[name] = {**(table if isinstance(table, Mapping) else {}), entry: value}
        else:
            merged[name] = value


def layered(
    environment: str, path: Path | None, environ: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Return the values for :class:`Settings`, and the faults found on the way.

    Raises:
        ConfigurationError: the file cannot be read, or the environment does not exist.
    """
    faults: list[str] = []
    data, folder = _read_file(path)
    merged = _from_file(data, environment, faults)
    _lay_environ(merged, environ)
    readers, entry_readers = _readers(environ, folder), _entry_readers(environ)
    values: dict[str, Any] = {}
    for name, value in merged.items():
        try:
            if name in readers:
                values[name] = readers[name](value)
            elif name not in entry_readers:
                known = ", ".join(sorted({*readers, *entry_readers}))
                faults.append(f"{name} is no setting; there are {known}")
            elif not isinstance(value, Mapping):
                faults.append(f"{name} must be a table")
            else:
                values[name] = _read_table(name, value, entry_readers[name], faults)
        except (ValueError, DomainError, ConfigurationError) as error:
            faults.append(f"{name}: {error}")
    return values, faults


def _read_table(
    name: str, table: Mapping[str, Any], read: Callable[[object], object], faults: list[str]
) -> object:
    if name == "default_price":
        return parse_prices(table, model="default", flagged=True)
    entries = {}
    for key, value in table.items():
        try:
            entries[key] = read(value)
        except ValueError as error:
            faults.append(f"{name}.{key}: {error}")
    return entries
