"""Settings: one frozen object, built explicitly; nothing reads the environment later."""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Self

from attrs import field, frozen

from tollkeeper.domain.errors import ConfigurationError, DomainError
from tollkeeper.domain.key_tokens import checked_prefix
from tollkeeper.domain.money import Money
from tollkeeper.domain.prices import ModelPrices
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.registry import fault_of

WITHOUT_PEPPER = ("local", "test")
"""The environments that may leave ``key_pepper`` out; a pepper is then made on first use."""
KNOWN_PROVIDERS: Mapping[str, str] = {"openai": "openai+https://api.openai.com/v1"}
"""Where a provider is served when settings give its key and no URL."""
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def _prefix_for(settings: "Settings") -> str:
    environment = re.sub(r"[^a-z0-9]", "", settings.environment.lower())[:16]
    return f"tk_{environment or 'local'}"


@frozen(kw_only=True)
class Settings:
    """What a facade is made of. Adapters are named by URLs; see ``docs/settings.md``.

    Raises:
        ConfigurationError: something is wrong; every fault is listed.
    """

    environment: str = "local"
    store: str = "sqlite:///tollkeeper.db"
    cache: str = "memory://"
    rate_limiter: str = "memory://"
    telemetry: str = "null://"
    chat_models: Mapping[str, str] = field(factory=lambda: {"offline": "offline://"})
    transcribers: Mapping[str, str] = field(factory=lambda: {"pocketsphinx": "pocketsphinx://"})
    api_keys: Mapping[str, Secret] = field(factory=dict)
    """The providers' credentials, by provider."""
    key_pepper: Secret | None = None
    retired_key_peppers: tuple[Secret, ...] = ()
    key_prefix: str = ""
    """How keys begin; ``tk_`` and the environment's name if left empty."""
    currency: str = "USD"
    price_book: str | None = None
    default_price: ModelPrices | None = None
    """Prices (flagged) for models without one; None refuses such models."""
    default_max_tokens: int = 1024
    call_timeout: timedelta = timedelta(minutes=2)
    hold_ttl: timedelta = timedelta(minutes=10)
    close_timeout: timedelta = timedelta(seconds=5)
    answer_ttl: timedelta = timedelta(hours=24)

    def __attrs_post_init__(self) -> None:
        if not self.key_prefix:
            object.__setattr__(self, "key_prefix", _prefix_for(self))
        faults = list(self._faults())
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

        values, faults = layered(
            environment,
            None if file is None else Path(file),
            os.environ if environ is None else environ,
        )
        api_keys = values.get("api_keys", {})
        if isinstance(api_keys, Mapping):
            known = {name: url for name, url in KNOWN_PROVIDERS.items() if name in api_keys}
            chat_models = values.get("chat_models", {})
            if known and isinstance(chat_models, Mapping):
                values["chat_models"] = {"offline": "offline://", **known, **chat_models}
        try:
            settings = cls(environment=environment, **values)
        except ConfigurationError as error:
            raise ConfigurationError([*faults, *error.faults]) from None
        if faults:
            raise ConfigurationError(faults)
        return settings

    def _faults(self) -> "list[str]":
        faults = [
            fault_of(port, getattr(self, port))
            for port in ("store", "cache", "rate_limiter", "telemetry")
        ]
        for port, urls in (("chat_model", self.chat_models), ("transcriber", self.transcribers)):
            for name, url in urls.items():
                fault = fault_of(port, url)
                faults.append(fault and f"{port}s.{name}: {fault}")
                if not _PROVIDER.fullmatch(name):
                    faults.append(f"{port}s: {name!r} is no name of a provider (a-z, 0-9, _ and -)")
        try:
            checked_prefix(self.key_prefix)
            Money.zero(self.currency)
        except DomainError as error:
            faults.append(str(error))
        faults.extend(self._number_faults())
        faults.extend(self._secret_faults())
        return [fault for fault in faults if fault]

    def _number_faults(self) -> "list[str]":
        faults = [
            f"{name} must be positive"
            for name in ("call_timeout", "hold_ttl", "answer_ttl")
            if getattr(self, name) <= timedelta(0)
        ]
        if type(self.default_max_tokens) is not int or self.default_max_tokens < 1:
            faults.append("default_max_tokens is a whole number, 1 or more")
        if self.hold_ttl <= self.call_timeout:
            faults.append("hold_ttl must exceed call_timeout: else holds expire under living calls")
        return faults

    def _secret_faults(self) -> "list[str]":
        faults = []
        if self.key_pepper is None and self.environment not in WITHOUT_PEPPER:
            faults.append(
                f"key_pepper is needed in the environment {self.environment}: set "
                "TOLLKEEPER_KEY_PEPPER to what `openssl rand -hex 32` prints"
            )
        peppers = [
            p.reveal() for p in (self.key_pepper, *self.retired_key_peppers) if p is not None
        ]
        if any(len(pepper) < 32 or len(set(pepper)) < 10 for pepper in peppers):
            faults.append("key_pepper is weak: use what `openssl rand -hex 32` prints")
        for name, key in self.api_keys.items():
            if not key or not key.reveal().isprintable() or " " in key.reveal():
                faults.append(f"api_keys.{name} is empty or holds blanks")
            if name not in self.chat_models and name not in self.transcribers:
                faults.append(f"api_keys.{name}: no provider of that name is in chat_models")
        return faults
