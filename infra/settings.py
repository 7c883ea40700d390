"""Settings: one frozen object, built explicitly; nothing reads the environment later."""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from attrs import field, frozen

from tollkeeper.application.key_pools import PoolKey
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.prices import ModelPrices
from tollkeeper.domain.rate_limits import RateLimit
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.settings_checks import WITHOUT_PEPPER as WITHOUT_PEPPER
from tollkeeper.infra.settings_checks import faults_of, redacted
from tollkeeper.infra.settings_places import assumed

KNOWN_PROVIDERS: Mapping[str, str] = {
    "anthropic": "anthropic+https://api.anthropic.com",
    "gemini": "openai+https://generativelanguage.googleapis.com/v1beta/openai",
    "groq": "openai+https://api.groq.com/openai/v1",
    "morph": "openai+https://api.morphllm.com/v1",
    "openai": "openai+https://api.openai.com/v1",
    "openrouter": "openai+https://openrouter.ai/api/v1",
    "xai": "openai+https://api.x.ai/v1",
}
"""Where a provider's models are served when settings give its key and no URL."""
KNOWN_EMBEDDERS = ("gemini", "openai")
"""Those of them that also embed, at the same place."""


def _prefix_for(environment: object) -> str:
    name = re.sub(r"[^a-z0-9]", "", str(environment).lower())[:16]
    return f"tk_{name or 'local'}"


def _own(table: Any) -> Any:
    """Copy a table or list, so that who gave it can no longer change it."""
    if isinstance(table, list):
        return tuple(table)
    return MappingProxyType(dict(table)) if isinstance(table, Mapping) else table


# Typed as Any, so that type checkers hold callers to the annotation beside it.
def _url(default: str) -> Any:
    return field(default=default, repr=redacted)


def _urls(**default: str) -> Any:
    return field(factory=lambda: default, converter=_own, repr=redacted)


def _secrets(default: object) -> Any:
    return field(default=default, converter=_own)


@frozen(kw_only=True)
class Settings:
    """What a facade is made of. Adapters are named by URLs; see ``docs/settings.md``.

    Raises:
        ConfigurationError: something is wrong; every fault is listed.
    """

    environment: str = "local"
    store: str = _url("sqlite:///tollkeeper.db")
    cache: str = _url("memory://")
    rate_limiter: str = _url("memory://")
    lock: str = _url("memory://")
    event_log: str = _url("memory://")
    broadcast: str = _url("memory://")
    tables: str | None = field(default=None, repr=redacted)
    """The database with the host's own tables."""
    telemetry: str = _url("null://")
    chat_models: Mapping[str, str] = _urls(offline="offline://")
    embedders: Mapping[str, str] = _urls(offline="offline://")
    transcribers: Mapping[str, str] = _urls(pocketsphinx="pocketsphinx://")
    api_keys: Mapping[str, Secret] = _secrets({})
    """The providers' credentials, by provider."""
    key_pools: Mapping[str, tuple[PoolKey, ...]] = _secrets({})
    """Several credentials for one provider, in the place of one in ``api_keys``."""
    shared_keys: tuple[str, ...] = field(default=(), converter=_own)
    """The providers whose credentials may be sent to more than one origin."""
    secret_source: str | None = field(default=None, repr=redacted)
    """Where credentials are kept that ``key_pools`` only name."""
    token_counter: str | None = field(default=None, repr=redacted)
    schema_validator: str = _url("jsonschema://")
    key_pepper: Secret | None = None
    retired_key_peppers: tuple[Secret, ...] = _secrets(())
    audit_key: Secret | None = None
    """What the audit log is chained with; derived from ``key_pepper`` if left out."""
    retired_audit_keys: tuple[Secret, ...] = _secrets(())
    pepper_secret: str | None = None
    """Names the pepper in ``secret_source``, in the place of ``key_pepper``."""
    key_cache_ttl: timedelta | None = None
    """How long a process may know a key; None: 30 seconds where it hears of changes, else 0."""
    attempts_per_client: RateLimit = field(factory=lambda: RateLimit.parse("60/minute"))
    attempts_overall: RateLimit = field(factory=lambda: RateLimit.parse("6000/minute"))
    """How many keys that are not good one client, and all together, may try in a process."""
    limit_processes: int = 1
    """Among how many processes a limit is shared while the rate limiter is away."""
    cipher: str = _url("aes256-gcm://")
    key_encryption: str | None = field(default=None, repr=redacted)
    """What wraps the data keys of accounts."""
    token_verifier: str | None = field(default=None, repr=redacted)
    """Whose tokens end users may sign in with."""
    token_secret: Secret | None = None
    token_account_claim: str = "sub"  # noqa: S105 - the name of a claim
    token_account_prefix: str = ""
    token_scopes_claim: str = "scope"  # noqa: S105 - the name of a claim
    token_granted_scopes: tuple[str, ...] = field(default=(), converter=_own)
    token_allowed_scopes: tuple[str, ...] | None = field(default=None, converter=_own)
    """The most that a token's own scopes may give; None: no more than the granted ones."""
    report_verifier: str | None = field(default=None, repr=redacted)
    """Whose reports of leaked keys are believed."""
    key_prefix: str = ""
    """How keys begin; ``tk_`` and the environment's name if left empty."""
    currency: str = "USD"
    price_book: str | None = None
    default_price: ModelPrices | None = None
    """Prices (flagged) for models without one; None refuses such models."""
    catalogue: str | None = None
    only_known_models: bool = False
    """Refuse models that the catalogue does not have."""
    default_max_tokens: int = 1024
    call_timeout: timedelta = timedelta(minutes=2)
    hold_ttl: timedelta = timedelta(minutes=10)
    close_timeout: timedelta = timedelta(seconds=5)
    answer_ttl: timedelta = timedelta(hours=24)
    response_ttl: timedelta | None = None
    on_unsupported: str = "refuse"
    tries: int = 3
    retry_pause: timedelta = timedelta(milliseconds=250)
    longest_retry_pause: timedelta = timedelta(seconds=8)
    retry_ambiguous: bool = True
    attempt_timeout: timedelta | None = None
    hedge_after: timedelta | None = None
    fallbacks: Mapping[str, tuple[str, ...]] = field(factory=dict, converter=_own)
    overflow_fallback: bool = False
    filter_fallback: bool = False
    breaker_failures: int = 5
    breaker_pause: timedelta = timedelta(seconds=15)
    concurrency: Mapping[str, int] = field(factory=dict, converter=_own)

    def __attrs_post_init__(self) -> None:
        if self.key_prefix == "":
            object.__setattr__(self, "key_prefix", _prefix_for(self.environment))
        faults = faults_of(self)
        if faults:
            raise ConfigurationError(faults)

    @classmethod
    def load(
        cls,
        *,
        environment: str = "local",
        file: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """Read the settings of *environment*: defaults, then the file, then the environment.

        *file* is TOML; without one, ``tollkeeper.toml`` in the working directory is read if it
        is there. Its tables are environments, which inherit from ``[default]``; ``local`` exists
        without a table. ``TOLLKEEPER_<FIELD>`` in *environ* (the process's own if None, read
        now and never again) overrides a field, ``TOLLKEEPER_API_KEYS__OPENAI`` an entry.

        Raises:
            ConfigurationError: anything is wrong; every fault is listed.
        """
        from tollkeeper.infra.settings_file import layered

        if environ is None:
            environ = os.environ
        if not isinstance(environ, Mapping) or not all(isinstance(name, str) for name in environ):
            raise ConfigurationError("environ must be a table from names to text, as os.environ is")
        try:
            path = None if file is None else Path(file)
        except TypeError:
            raise ConfigurationError("file must be the path of a settings file") from None
        values, faults = layered(environment, path, environ)
        keyed = {*values.get("api_keys", {}), *values.get("key_pools", {})}
        known = {name: url for name, url in KNOWN_PROVIDERS.items() if name in keyed}
        embedding = {name: url for name, url in known.items() if name in KNOWN_EMBEDDERS}
        for name, table in (("chat_models", known), ("embedders", embedding)):
            if table := assumed(name, table, values):
                values[name] = {**table, **values.get(name, {"offline": "offline://"})}
        try:
            settings = cls(environment=environment, **values)
        except ConfigurationError as error:
            # What could not be read is missing now; that is no second fault.
            unread = tuple(fault.partition(":")[0] for fault in faults)
            rest = [fault for fault in error.faults if not fault.startswith(unread)]
            raise ConfigurationError([*faults, *rest]) from None
        if faults:
            raise ConfigurationError(faults)
        return settings
