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


WRONG: list[tuple[dict[str, object], str]] = [
    ({"embedders": {"x": "nowhere://"}}, "embedders.x: embedder: no adapter is called nowhere"),
    ({"embedders": "offline://"}, "embedders must be a table from names to text each"),
    ({"secret_source": 5}, "secret_source must be text"),
    ({"secret_source": "vault://x"}, "secret_source: no adapter is called vault"),
    ({"token_counter": "tiktoken://"}, "token_counter: no adapter is called tiktoken"),
    ({"schema_validator": None}, "schema_validator must be text"),
    ({"schema_validator": "nosuch://"}, "schema_validator: no adapter is called nosuch"),
    ({"catalogue": 5}, "catalogue must be text"),
    ({"only_known_models": 1}, "only_known_models must be True or False"),
    ({"retry_ambiguous": "no"}, "retry_ambiguous must be True or False"),
    ({"overflow_fallback": None}, "overflow_fallback must be True or False"),
    ({"filter_fallback": 0}, "filter_fallback must be True or False"),
    ({"on_unsupported": "ignore"}, 'on_unsupported is "refuse" or "drop"'),
    ({"on_unsupported": None}, "on_unsupported must be text"),
    ({"tries": 0}, "tries must be a whole number, 1 to 10"),
    ({"tries": 11}, "tries must be a whole number, 1 to 10"),
    ({"tries": True}, "tries must be a whole number, 1 to 10"),
    ({"breaker_failures": 0}, "breaker_failures must be a whole number, 1 or more"),
    ({"retry_pause": 1}, "retry_pause must be a timedelta"),
    ({"retry_pause": timedelta(seconds=-1)}, "retry_pause must be positive"),
    ({"retry_pause": timedelta(seconds=9)}, "longest_retry_pause must not be below retry_pause"),
    ({"breaker_pause": timedelta(0)}, "breaker_pause must be positive"),
    ({"attempt_timeout": timedelta(0)}, "attempt_timeout must be positive"),
    ({"attempt_timeout": 5}, "attempt_timeout must be a timedelta"),
    ({"hedge_after": timedelta(seconds=-1)}, "hedge_after must be positive"),
    ({"response_ttl": timedelta(0)}, "response_ttl must be positive"),
    ({"response_ttl": timedelta(days=366)}, "response_ttl must be 365 days at most"),
    ({"fallbacks": {"a/b": ()}}, "fallbacks.a/b: list one model or more"),
    ({"fallbacks": {"a/b": ("",)}}, "fallbacks.a/b: list one model or more"),
    ({"fallbacks": {"a/b": (5,)}}, "fallbacks.a/b: list one model or more"),
    ({"fallbacks": {"a/b": ("c/d",) * 8}}, "fallbacks.a/b: 7 models at most"),
    ({"fallbacks": {"a/b": "c/d"}}, "fallbacks must be a table from names to a list of models"),
    ({"fallbacks": ["a/b"]}, "fallbacks must be a table"),
    ({"concurrency": {"offline": 0}}, "concurrency.offline is a whole number, 1 or more"),
    ({"concurrency": {"offline": True}}, "concurrency.offline is a whole number, 1 or more"),
    ({"concurrency": {"offline": "8"}}, "concurrency must be a table from names to a number"),
    ({"key_pools": {"offline": KEY}}, "key_pools must be a table from names to a list of Pool"),
    ({"key_pools": {"offline": (Secret("x"),)}}, "key_pools.offline is a list of PoolKeys"),
    ({"key_pools": {"offline": ()}}, "key_pools.offline: name each of its keys once (label)"),
    ({"key_pools": {"offline": (KEY, KEY)}}, "key_pools.offline: name each of its keys once"),
    ({"key_pools": {"nobody": (KEY,)}}, "key_pools.nobody: no provider of that name"),
    (
        {"key_pools": {"offline": (PoolKey("one", name="NAME"),)}},
        "key_pools.offline names secrets: set secret_source",
    ),
]


@pytest.mark.parametrize(("fields", "fault"), WRONG, ids=repr)
def test_what_is_wrong_is_said(fields: dict[str, object], fault: str) -> None:
    assert any(found.startswith(fault) for found in faults(Settings, **fields))


def test_a_provider_has_one_key_or_a_pool_of_them() -> None:
    (fault,) = faults(Settings, api_keys={"offline": Secret("sk-1")}, key_pools={"offline": (KEY,)})
    assert fault == (
        "key_pools.offline: the provider has a key in api_keys too; choose one of them"
    )


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


@pytest.mark.parametrize(
    ("toml", "fault"),
    [
        ("only_known_models = 1", "only_known_models: must be true or false"),
        ("retry_ambiguous = 'no'", "retry_ambiguous: must be true or false"),
        ("tries = 1.5", "tries: must be a whole number"),
        ("hedge_after = 2", "hedge_after: a duration is a number with its unit"),
        ("catalogue = 5", "catalogue: must be text"),
        ("fallbacks = ['a/b']", "fallbacks must be a table"),
        ("fallbacks = { 'a/b' = 5 }", "fallbacks.a/b: must be a list of models"),
        ("fallbacks = { 'a/b' = [5] }", "fallbacks.a/b: must be a list of models"),
        ("concurrency = { offline = 1.5 }", "concurrency.offline: must be a whole number"),
        ("key_pools = { offline = 5 }", "key_pools.offline: must be a list of keys"),
        ("key_pools = { offline = [] }", "key_pools.offline: must be a list of keys"),
        ("key_pools = { offline = [5] }", "key_pools.offline: must be text"),
        ("key_pools = { offline = ['env:NOT_SET'] }", "key_pools.offline: the environment vari"),
        ("key_pools = { offline = ['file:/not/there'] }", "key_pools.offline: cannot read the"),
        ("key_pools = { offline = [{ weight = 3 }] }", "key_pools.offline: a key reads { key ="),
        ("key_pools = { offline = [{ key = 'k', wait = 3 }] }", "key_pools.offline: a key reads"),
        ("key_pools = { offline = [{ key = 'k', weight = 0 }] }", "key_pools.offline: a key's w"),
        ("key_pools = { offline = [{ key = 'k', weight = 'x' }] }", "key_pools.offline: a key's"),
        ("key_pools = { offline = [{ key = 'k', label = '' }] }", "key_pools.offline: a key's l"),
        ("key_pools = { offline = ['secret:NAME'] }", "key_pools.offline names secrets"),
        (
            "key_pools = { offline = [{ key = 'k', label = 'a' }, { key = 'l', label = 'a' }] }",
            "key_pools.offline: name each of its keys once",
        ),
    ],
)
def test_a_wrong_line_is_said_once(load: Load, toml: str, fault: str) -> None:
    (found,) = faults(load, f"[local]\n{toml}")
    assert found.startswith(fault)


@pytest.mark.parametrize("key", ["''", "'a b'", '"a\\n"', "'file:/dev/null'"])
def test_a_blank_key_of_a_pool_is_refused(load: Load, key: str) -> None:
    (found,) = faults(load, f"[local]\nkey_pools = {{ offline = ['sk-1', {key}] }}")
    assert found == "key_pools.offline: a key is empty or holds blanks"


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


def test_no_fault_shows_a_key_of_a_pool(load: Load) -> None:
    toml = f"[local.key_pools]\nnobody = ['{CANARY}', {{ key = '{CANARY}', label = 'key-1' }}]"
    found = faults(load, toml)
    assert found
    assert not [fault for fault in found if CANARY in fault]
