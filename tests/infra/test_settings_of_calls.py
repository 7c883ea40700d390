"""Settings of providers, keys, retries, fallbacks and limits: in code, in TOML, in variables."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tollkeeper.application.key_pools import PoolKey
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.settings import KNOWN_EMBEDDERS, KNOWN_PROVIDERS, Settings

CANARY = "sk-canary-7f3a91"
Load = Callable[..., Settings]
KEY = PoolKey("one", secret=Secret("sk-1"))


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load settings from this text and these variables, and nothing else."""

    def load(toml: str = "", environ: Mapping[str, str] | None = None) -> Settings:
        file = tmp_path / "tollkeeper.toml"
        file.write_text(toml, "utf-8")
        return Settings.load(file=file, environ=environ or {})

    return load


def faults(make: Callable[..., Settings], *given: Any, **fields: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as refused:
        make(*given, **fields)
    return refused.value.faults


def test_the_defaults_retry_a_little_and_fall_back_on_nothing() -> None:
    settings = Settings()
    assert dict(settings.embedders) == {"offline": "offline://"}
    assert (settings.key_pools, settings.fallbacks, settings.concurrency) == ({}, {}, {})
    assert (settings.secret_source, settings.token_counter) == (None, None)
    assert settings.schema_validator == "jsonschema://"
    assert (settings.catalogue, settings.only_known_models) == (None, False)
    assert settings.on_unsupported == "refuse"
    assert (settings.tries, settings.retry_ambiguous) == (3, True)
    assert settings.retry_pause == timedelta(milliseconds=250)
    assert settings.longest_retry_pause == timedelta(seconds=8)
    assert (settings.attempt_timeout, settings.hedge_after, settings.response_ttl) == (None,) * 3
    assert (settings.overflow_fallback, settings.filter_fallback) == (False, False)
    assert (settings.breaker_failures, settings.breaker_pause) == (5, timedelta(seconds=15))


EVERYTHING = f"""
[local]
secret_source = "env://MINE_"
token_counter = "bpe-openai://"
schema_validator = "jsonschema://"
catalogue = "models.toml"
only_known_models = true
on_unsupported = "drop"
response_ttl = "1h"
tries = 2
retry_pause = "0s"
longest_retry_pause = "2s"
retry_ambiguous = false
attempt_timeout = "30s"
hedge_after = "0ms"
overflow_fallback = true
filter_fallback = true
breaker_failures = 9
breaker_pause = "1m"

[local.embedders]
house = "openai+http://localhost:9999/v1"

[local.key_pools]
offline = [
    "{CANARY}",
    {{ key = "env:SECOND", weight = 3 }},
    {{ key = "sk-3", label = "third" }},
    {{ key = "secret:FOURTH", label = "fourth" }},
]

[local.fallbacks]
"offline/echo" = ["offline/slow", "offline/long"]

[local.concurrency]
offline = 8
"""


def test_every_setting_is_read_from_toml(load: Load, tmp_path: Path) -> None:
    settings = load(EVERYTHING, {"SECOND": "sk-2"})
    assert settings.secret_source == "env://MINE_"
    assert (settings.token_counter, settings.schema_validator) == (
        "bpe-openai://",
        "jsonschema://",
    )
    assert settings.catalogue == str(tmp_path / "models.toml")
    assert (settings.only_known_models, settings.on_unsupported) == (True, "drop")
    assert settings.response_ttl == timedelta(hours=1)
    assert (settings.tries, settings.retry_ambiguous) == (2, False)
    assert (settings.retry_pause, settings.longest_retry_pause) == (
        timedelta(0),
        timedelta(seconds=2),
    )
    assert (settings.attempt_timeout, settings.hedge_after) == (
        timedelta(seconds=30),
        timedelta(0),
    )
    assert (settings.overflow_fallback, settings.filter_fallback) == (True, True)
    assert (settings.breaker_failures, settings.breaker_pause) == (9, timedelta(minutes=1))
    assert dict(settings.embedders) == {"house": "openai+http://localhost:9999/v1"}
    assert settings.fallbacks["offline/echo"] == ("offline/slow", "offline/long")
    assert settings.concurrency["offline"] == 8
    assert settings.key_pools["offline"] == (
        PoolKey("key-1", secret=Secret(CANARY)),
        PoolKey("key-2", secret=Secret("sk-2"), weight=3),
        PoolKey("third", secret=Secret("sk-3")),
        PoolKey("fourth", name="FOURTH"),
    )
    assert CANARY not in repr(settings)


def test_variables_override_the_file(load: Load) -> None:
    environ = {
        "TOLLKEEPER_TRIES": "5",
        "TOLLKEEPER_ONLY_KNOWN_MODELS": "false",
        "TOLLKEEPER_RETRY_AMBIGUOUS": "true",
        "TOLLKEEPER_HEDGE_AFTER": "2s",
        "TOLLKEEPER_FALLBACKS__OFFLINE/ECHO": "offline/slow-1 offline/slow-2",
        "TOLLKEEPER_CONCURRENCY__OFFLINE": "3",
        "TOLLKEEPER_KEY_POOLS__OFFLINE": "env:SECOND secret:FOURTH sk-plain",
        "SECOND": "sk-2",
    }
    settings = load(EVERYTHING, environ)
    assert (settings.tries, settings.only_known_models, settings.retry_ambiguous) == (
        5,
        False,
        True,
    )
    assert settings.hedge_after == timedelta(seconds=2)
    assert settings.fallbacks["offline/echo"] == ("offline/slow-1", "offline/slow-2")
    assert settings.concurrency["offline"] == 3
    assert settings.key_pools["offline"] == (
        PoolKey("key-1", secret=Secret("sk-2")),
        PoolKey("key-2", name="FOURTH"),
        PoolKey("key-3", secret=Secret("sk-plain")),
    )


@pytest.mark.parametrize("provider", KNOWN_PROVIDERS)
@pytest.mark.parametrize("table", ["api_keys", "key_pools"])
def test_the_key_of_a_known_provider_says_where_it_is(
    load: Load, provider: str, table: str
) -> None:
    settings = load("", {f"TOLLKEEPER_{table.upper()}__{provider.upper()}": "sk-x"})
    assert dict(settings.chat_models) == {
        "offline": "offline://",
        provider: KNOWN_PROVIDERS[provider],
    }
    embeds = {provider: KNOWN_PROVIDERS[provider]} if provider in KNOWN_EMBEDDERS else {}
    assert dict(settings.embedders) == {"offline": "offline://", **embeds}


def test_a_url_of_ones_own_stands_before_the_known_one(load: Load) -> None:
    toml = """
    [local]
    shared_keys = ["openai"]
    [local.chat_models]
    openai = "openai+http://localhost:1/v1"
    [local.embedders]
    openai = "openai+http://localhost:2/v1"
    [local.api_keys]
    openai = "sk-x"
    """
    settings = load(toml)
    assert settings.chat_models["openai"] == "openai+http://localhost:1/v1"
    assert settings.embedders["openai"] == "openai+http://localhost:2/v1"


def test_an_unknown_provider_with_a_key_needs_a_url(load: Load) -> None:
    (found,) = faults(load, "[local.api_keys]\nhouse = 'sk-x'")
    assert found.startswith("api_keys.house: no provider of that name is in chat_models")
