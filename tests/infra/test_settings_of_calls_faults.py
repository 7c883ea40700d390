"""What is wrong with settings of keys, retries, fallbacks and limits is said, once."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tollkeeper.application.key_pools import PoolKey
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.settings import Settings

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
    ({"fallbacks": {"a/b": ("c/d", "a/b")}}, "fallbacks.a/b: a model is no fallback of itself"),
    ({"attempt_timeout": timedelta(minutes=3)}, "attempt_timeout must not exceed call_timeout"),
    ({"hedge_after": timedelta(seconds=121)}, "hedge_after must not exceed call_timeout"),
    (
        {"hedge_after": timedelta(seconds=2), "call_timeout": timedelta(seconds=1)},
        "hedge_after must not exceed call_timeout",
    ),
    ({"concurrency": {"nobody": 8}}, "concurrency.nobody: no provider of that name is in chat_"),
    (
        {"concurrency": {"pocketsphinx": 8}},
        "concurrency.pocketsphinx: no provider of that name is in chat_models or embedders",
    ),
    (
        {"key_pools": {"pocketsphinx": (KEY,)}},
        "key_pools.pocketsphinx: no provider of that name is in chat_models or embedders",
    ),
    ({"shared_keys": "offline"}, "shared_keys must be a list of names"),
    ({"shared_keys": (5,)}, "shared_keys must be a list of names"),
    ({"shared_keys": ("offline",)}, "shared_keys: offline has no key in api_keys or key_pools"),
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


def test_what_just_fits_is_no_fault() -> None:
    minute = timedelta(minutes=1)
    settings = Settings(
        call_timeout=minute,
        attempt_timeout=minute,
        hedge_after=minute,
        fallbacks={"offline/*": ("offline/echo",)},
        concurrency={"offline": 1},
    )
    assert settings.hedge_after == minute


def test_a_provider_has_one_key_or_a_pool_of_them() -> None:
    (fault,) = faults(Settings, api_keys={"offline": Secret("sk-1")}, key_pools={"offline": (KEY,)})
    assert fault == (
        "key_pools.offline: the provider has a key in api_keys too; choose one of them"
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
        ("fallbacks = { 'a/b' = ['a/b'] }", "fallbacks.a/b: a model is no fallback of itself"),
        ("hedge_after = '3m'", "hedge_after must not exceed call_timeout"),
        ("attempt_timeout = '3m'", "attempt_timeout must not exceed call_timeout"),
        ("concurrency = { nobody = 8 }", "concurrency.nobody: no provider of that name"),
        ("shared_keys = 5", "shared_keys: must be a list of names"),
        ("shared_keys = [5]", "shared_keys: must be a list of names"),
        ("shared_keys = ['nobody']", "shared_keys: nobody has no key"),
        ("key_pools = { offline = ['secret:'] }", "key_pools.offline: the key key-1 is a secret"),
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


def test_no_fault_shows_a_key_of_a_pool(load: Load) -> None:
    toml = f"[local.key_pools]\nnobody = ['{CANARY}', {{ key = '{CANARY}', label = 'key-1' }}]"
    found = faults(load, toml)
    assert found
    assert not [fault for fault in found if CANARY in fault]
