"""What is wrong with a settings file or a variable is said, once, with everything else."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.infra.settings import Settings

CANARY = "sk-canary-7f3a91"
Faults = Callable[..., tuple[str, ...]]


@pytest.fixture
def faults(tmp_path: Path) -> Faults:
    """Load what is wrong, and give what is said about it."""

    def faults(
        toml: str = "", environ: Mapping[str, str] | None = None, environment: str = "local"
    ) -> tuple[str, ...]:
        file = tmp_path / "tollkeeper.toml"
        file.write_text(toml, "utf-8")
        with pytest.raises(ConfigurationError) as refused:
            Settings.load(environment=environment, file=file, environ=environ or {})
        return refused.value.faults

    return faults


WRONG: list[tuple[str, str]] = [
    ("[local]\nstroe = 'memory://'", "stroe is no setting; there are answer_ttl, api_keys"),
    ("[local]\nstore = 5", "store: must be text"),
    ("[local]\nstore = 'nowhere://'", "store: no adapter is called nowhere"),
    ("[local]\ndefault_max_tokens = 1.5", "default_max_tokens: must be a whole number"),
    ("[local]\ndefault_max_tokens = true", "default_max_tokens: must be a whole number"),
    ("[local]\ndefault_max_tokens = 'ten'", "default_max_tokens: must be a whole number"),
    ("[local]\ncall_timeout = 90", "call_timeout: a duration is a number with its unit"),
    ("[local]\ncall_timeout = '90 sec'", "call_timeout: a duration is a number with its unit"),
    ("[local]\nhold_ttl = '-1h'", "hold_ttl: a duration is a number with its unit"),
    ("[local]\nanswer_ttl = '9999d'", "answer_ttl must be 365 days at most"),
    ("[local]\nhold_ttl = '2m'", "hold_ttl must exceed call_timeout"),
    ("[local]\nchat_models = 'offline://'", "chat_models must be a table"),
    ("[local.chat_models]\noffline = 5", "chat_models.offline: must be text"),
    ("[local]\napi_keys = 'sk'", "api_keys must be a table"),
    ("[local]\nkey_pepper = 5", "key_pepper: must be text"),
    ("[local]\nkey_pepper = 'env:NOT_SET'", "key_pepper: the environment variable NOT_SET is not"),
    ("[local]\nkey_pepper = 'file:/not/there'", "key_pepper: cannot read the file /not/there"),
    ("[local]\nkey_pepper = 'weak'", "key_pepper is weak"),
    ("[local]\nretired_key_peppers = 5", "retired_key_peppers: must be a list of texts"),
    ("[local]\nretired_key_peppers = [5]", "retired_key_peppers: must be text"),
    ("[local.api_keys]\noffline = 'env:NOT_SET'", "api_keys.offline: the environment variable"),
    ("[local.api_keys]\nnobody = 'sk-x'", "api_keys.nobody: no provider of that name"),
    ("[local]\nprice_book = 5", "price_book: must be text"),
    ("[local]\ndefault_price = 0.1", "default_price must be a table"),
    ("[local.default_price]\ninput_tokens = 0.15", "default_price: a price reads"),
    ("[local.default_price]\ninput_tokens = '0.15'", "default_price: a price reads"),
    ("[local.default_price]\ninput_tokens = '1e-7 per 1'", "default_price: a price reads"),
    ("[local.default_price]\ninput_token = '1 per 1'", "default_price: no such field or meter"),
    ("[local.default_price]\ncurrency = 'EUR'", "default_price: prices of default: one currency"),
    ("[local.default_price]\ncurrency = 'eur'\nrequests = '1 per 1'", "default_price: a currency"),
    ("[local]\ndefault = 1", "default is no setting"),
    ("local = 5", "local must be a table, written [local]"),
    ("store = 'memory://'", "store stands outside of a table; write it under [default]"),
]


@pytest.mark.parametrize(("toml", "fault"), WRONG, ids=lambda value: repr(value)[:40])
def test_what_is_wrong_is_said_once(faults: Faults, toml: str, fault: str) -> None:
    (found,) = faults(toml)
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        ("TOLLKEEPER_STROE", "memory://", "stroe is no setting"),
        ("TOLLKEEPER_", "x", " is no setting"),
        ("TOLLKEEPER_ENVIRONMENTS", "x", "environments is no setting"),
        ("TOLLKEEPER_API_KEYS", "sk", "api_keys must be a table"),
        ("TOLLKEEPER_DEFAULT_MAX_TOKENS", "-1", "default_max_tokens: must be a whole number"),
        ("TOLLKEEPER_DEFAULT_MAX_TOKENS", "\u0667", "default_max_tokens: must be a whole number"),
        ("TOLLKEEPER_CALL_TIMEOUT", "", "call_timeout: a duration"),
        ("TOLLKEEPER_KEY_PEPPER", "", "key_pepper is weak"),
        ("TOLLKEEPER_STORE", "", "store: an adapter is named by a URL"),
        ("TOLLKEEPER_STORE__X", "memory://", "store: must be text"),
        ("TOLLKEEPER_CHAT_MODELS__A/B", "offline://", "chat_models: 'a/b' is no name"),
        ("TOLLKEEPER_DEFAULT_PRICE__INPUT_TOKENS", "0.1", "default_price: a price reads"),
    ],
)
def test_a_wrong_variable_is_said(faults: Faults, variable: str, value: str, fault: str) -> None:
    (found,) = faults("", {variable: value})
    assert found.startswith(fault)


def test_all_faults_are_listed_at_once(faults: Faults) -> None:
    toml = """
    stray = 1
    [default]
    stroe = "memory://"
    store = 5
    key_pepper = "env:NOT_SET"
    hold_ttl = "soon"
    [production]
    currency = "usd"
    [production.chat_models]
    a = "nowhere://"
    b = 5
    [production.api_keys]
    c = "file:/not/there"
    """
    found = faults(toml, {"TOLLKEEPER_CACHE": "nowhere://"}, "production")
    beginnings = (
        "stray stands outside", "stroe is no setting", "store: must be text", "key_pepper: the env",
        "hold_ttl: a duration", "currency: a currency", "chat_models.a: ", "chat_models.b: ",
        "api_keys.c: cannot read", "cache: no adapter",
    )  # fmt: skip
    for beginning in beginnings:
        assert sum(fault.startswith(beginning) for fault in found) == 1, beginning
    assert len(found) == len(beginnings)


def test_production_needs_a_pepper(faults: Faults) -> None:
    (found,) = faults("[production]", environment="production")
    assert found.startswith("key_pepper is needed")


@pytest.mark.parametrize("environment", ["prod", "default", "", "Production", None, 5, ["x"]])
def test_an_unknown_environment_is_refused(faults: Faults, environment: str) -> None:
    (found,) = faults("[default]\n[production]\n[test]", environment=environment)
    assert found.endswith("there are local, production, test")


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    for missing in (tmp_path / "missing.toml", tmp_path, str(tmp_path / "missing.toml")):
        with pytest.raises(ConfigurationError, match="cannot read the settings file"):
            Settings.load(file=missing, environ={})


def test_a_file_of_invalid_text_or_toml_is_said_to_be_so(tmp_path: Path) -> None:
    file = tmp_path / "tollkeeper.toml"
    file.write_bytes(b'[local]\nstore = "\xff"\n')
    with pytest.raises(ConfigurationError, match="cannot read the settings file"):
        Settings.load(file=file, environ={})
    file.write_text(f'[local]\nkey_pepper = "{CANARY}\n')
    with pytest.raises(ConfigurationError, match=r"is no TOML.*line 2") as refused:
        Settings.load(file=file, environ={})
    assert CANARY not in str(refused.value)


def test_no_fault_shows_a_secret(faults: Faults) -> None:
    toml = f"""
    [local]
    store = "mysql://admin:{CANARY}@host"
    key_pepper = "{CANARY}"
    retired_key_peppers = ["{CANARY}"]
    call_timeout = "{CANARY}"
    [local.api_keys]
    offline = "{CANARY} {CANARY}"
    """
    found = faults(toml, {"TOLLKEEPER_DEFAULT_PRICE__INPUT_TOKENS": CANARY})
    assert len(found) == 6
    assert not [fault for fault in found if CANARY in fault]


@pytest.mark.parametrize("file", [5, b"tollkeeper.toml", ["a"]])
def test_a_file_that_is_no_path_is_refused(file: Any) -> None:
    with pytest.raises(ConfigurationError, match="file must be the path of a settings file"):
        Settings.load(file=file, environ={})


def test_a_file_whose_name_is_malformed_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot read the settings file"):
        Settings.load(file="a\0b", environ={})


@pytest.mark.parametrize("environ", [5, ["TOLLKEEPER_STORE"], {5: "memory://"}])
def test_variables_that_are_no_table_are_refused(environ: Any) -> None:
    with pytest.raises(ConfigurationError, match="environ must be a table"):
        Settings.load(environ=environ)
