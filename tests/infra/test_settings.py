"""Settings made in code: what is wrong is said all at once, and no secret is shown."""

import copy
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.meters import Meter
from tollkeeper.domain.money import Money
from tollkeeper.domain.prices import ModelPrices, Price
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.settings import Settings

PEPPER = Secret("0123456789abcdef0123456789abcdef")
CANARY = "sk-canary-7f3a91"


def faults(**fields: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as refused:
        Settings(**fields)
    return refused.value.faults


def test_the_defaults_need_no_server_no_key_and_no_network() -> None:
    settings = Settings()
    assert settings.environment == "local"
    assert settings.store == "sqlite:///tollkeeper.db"
    assert dict(settings.chat_models) == {"offline": "offline://"}
    assert dict(settings.transcribers) == {"pocketsphinx": "pocketsphinx://"}
    assert (settings.key_prefix, settings.currency) == ("tk_local", "USD")
    assert settings.hold_ttl > settings.call_timeout


def test_production_needs_a_pepper() -> None:
    (fault,) = faults(environment="production")
    assert fault.startswith("key_pepper is needed in the environment production")
    assert "openssl rand -hex 32" in fault
    assert Settings(environment="production", key_pepper=PEPPER).key_prefix == "tk_production"
    assert Settings(environment="test").key_pepper is None


@pytest.mark.parametrize(
    "weak", ["", "short", "a" * 64, "changeme" * 8, "0123456789abcdef\n0123456789abcdef", "x" * 31]
)
def test_a_weak_pepper_is_refused_in_every_environment(weak: str) -> None:
    for environment in ("local", "production"):
        (fault,) = faults(environment=environment, key_pepper=Secret(weak))
        assert "key_pepper is weak" in fault
    (fault,) = faults(key_pepper=PEPPER, retired_key_peppers=(PEPPER, Secret(weak)))
    assert "retired_key_peppers" in fault


@pytest.mark.parametrize(
    ("environment", "prefix"),
    [
        ("production", "tk_production"),
        ("Pre-Prod", "tk_preprod"),
        ("a-very-long-environment-name", "tk_averylongenviron"),
        ("日本", "tk_local"),
    ],
)
def test_keys_begin_with_the_name_of_the_environment(environment: str, prefix: str) -> None:
    assert Settings(environment=environment, key_pepper=PEPPER).key_prefix == prefix


def test_a_prefix_of_ones_own_is_kept() -> None:
    assert Settings(key_prefix="acme_live").key_prefix == "acme_live"


WRONG: list[tuple[dict[str, object], str]] = [
    ({"store": 5}, "store must be text"),
    ({"cache": None}, "cache must be text"),
    ({"rate_limiter": b"memory://"}, "rate_limiter must be text"),
    ({"telemetry": ["null://"]}, "telemetry must be text"),
    ({"environment": None}, "environment must be text"),
    ({"environment": ""}, "environment must be the name of one"),
    ({"key_prefix": None}, "key_prefix must be text"),
    ({"key_prefix": "TK"}, "key_prefix: a key prefix reads brand_environment"),
    ({"currency": 5}, "currency must be text"),
    ({"currency": "usd"}, "currency: a currency is 3-10 capital letters"),
    ({"call_timeout": "2m"}, "call_timeout must be a timedelta"),
    ({"hold_ttl": 600}, "hold_ttl must be a timedelta"),
    ({"close_timeout": 5.0}, "close_timeout must be a timedelta"),
    ({"answer_ttl": None}, "answer_ttl must be a timedelta"),
    ({"call_timeout": timedelta(0)}, "call_timeout must be positive"),
    ({"answer_ttl": timedelta(seconds=-1)}, "answer_ttl must be positive"),
    ({"close_timeout": timedelta(seconds=-1)}, "close_timeout must be positive"),
    ({"hold_ttl": timedelta(days=366)}, "hold_ttl must be 365 days at most"),
    ({"answer_ttl": timedelta.max}, "answer_ttl must be 365 days at most"),
    ({"hold_ttl": timedelta(minutes=2)}, "hold_ttl must exceed call_timeout"),
    ({"hold_ttl": timedelta(minutes=1)}, "hold_ttl must exceed call_timeout"),
    ({"default_max_tokens": 0}, "default_max_tokens must be a whole number, 1 or more"),
    ({"default_max_tokens": 1.0}, "default_max_tokens must be a whole number, 1 or more"),
    ({"default_max_tokens": True}, "default_max_tokens must be a whole number, 1 or more"),
    ({"chat_models": None}, "chat_models must be a table from names to text each"),
    ({"chat_models": "offline://"}, "chat_models must be a table"),
    ({"chat_models": ["offline://"]}, "chat_models must be a table"),
    ({"chat_models": {"offline": 5}}, "chat_models must be a table"),
    ({"transcribers": {5: "pocketsphinx://"}}, "transcribers must be a table"),
    ({"chat_models": {"Off/line": "offline://"}}, "'Off/line' is no name of a provider"),
    ({"chat_models": {"x": "nowhere://"}}, "chat_models.x: chat_model: no adapter is called"),
    ({"transcribers": {"x": "offline://"}}, "transcribers.x: transcriber: no adapter is called"),
    ({"store": "mysql://x"}, "store: no adapter is called mysql; there are memory, postgres"),
    ({"store": "postgresql://host/db"}, "key_pepper is needed for a store that other processes"),
    ({"store": "tollkeeper.db"}, "store: an adapter is named by a URL"),
    ({"store": ""}, "store: an adapter is named by a URL"),
    ({"cache": "redis//x"}, "cache: an adapter is named by a URL"),
    ({"api_keys": {"offline": "plain str"}}, "api_keys must be a table from names to a Secret"),
    ({"api_keys": Secret("x")}, "api_keys must be a table"),
    ({"api_keys": {"offline": Secret("")}}, "api_keys.offline is empty or holds blanks"),
    ({"api_keys": {"offline": Secret("a b")}}, "api_keys.offline is empty or holds blanks"),
    ({"api_keys": {"offline": Secret("ab\n")}}, "api_keys.offline is empty or holds blanks"),
    ({"api_keys": {"nobody": Secret("x")}}, "api_keys.nobody: no provider of that name"),
    ({"key_pepper": "0123456789abcdef0123456789abcdef"}, "key_pepper must be a Secret"),
    ({"key_pepper": b"0123456789abcdef0123456789abcdef"}, "key_pepper must be a Secret"),
    ({"retired_key_peppers": PEPPER}, "retired_key_peppers must be a list of Secrets"),
    ({"retired_key_peppers": ("x",)}, "retired_key_peppers must be a list of Secrets"),
    ({"retired_key_peppers": None}, "retired_key_peppers must be a list of Secrets"),
    ({"price_book": 5}, "price_book must be text"),
    ({"default_price": "0.1"}, "default_price must be a ModelPrices"),
    ({"default_price": 0.1}, "default_price must be a ModelPrices"),
]


@pytest.mark.parametrize(("fields", "fault"), WRONG, ids=repr)
def test_what_is_wrong_is_said(fields: dict[str, object], fault: str) -> None:
    (found,) = faults(**fields)
    assert fault in found


def test_all_faults_are_listed_at_once() -> None:
    everything = {field: value for fields, _ in reversed(WRONG) for field, value in fields.items()}
    found = faults(**everything)
    for field in everything:
        assert any(fault.startswith(field) for fault in found), field


def test_an_unknown_field_is_an_error() -> None:
    with pytest.raises(TypeError, match="stroe"):
        Settings(stroe="memory://")  # type: ignore[call-arg]


def test_nobody_can_change_settings_afterwards() -> None:
    chat_models, peppers = {"offline": "offline://"}, [PEPPER]
    settings = Settings(
        chat_models=chat_models,
        key_pepper=PEPPER,
        retired_key_peppers=peppers,  # type: ignore[arg-type]
    )
    chat_models["offline"] = "nowhere://"
    peppers.clear()
    assert settings.chat_models["offline"] == "offline://"
    assert settings.retired_key_peppers == (PEPPER,)
    with pytest.raises(AttributeError):
        settings.store = "memory://"  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.chat_models["other"] = "offline://"  # type: ignore[index]
    assert Settings().chat_models is not Settings().chat_models


def test_settings_are_equal_if_they_say_the_same() -> None:
    assert Settings() == Settings()
    assert Settings() != Settings(currency="EUR")
    assert evolve(Settings(), currency="EUR").currency == "EUR"


SECRETIVE = Settings(
    store=f"memory://admin:{CANARY}@host/db?password={CANARY}&x=1#{'part'}",
    chat_models={"offline": f"offline://user:{CANARY}@host?api_key={CANARY}"},
    api_keys={"offline": Secret(CANARY)},
    key_pepper=Secret(f"{CANARY}-0123456789abcdef0123456789"),
    retired_key_peppers=(Secret(f"{CANARY}-fedcba9876543210fedcba9876"),),
)


def test_no_text_of_settings_shows_a_secret() -> None:
    for text in (repr(SECRETIVE), str(SECRETIVE), f"{SECRETIVE}", "%s" % SECRETIVE):  # noqa: UP031
        assert CANARY not in text
        assert "admin" not in text
        assert "host/db" in text
        assert "x=********" in text


def test_settings_with_secrets_are_not_pickled() -> None:
    for leave in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError) as refused:
            leave(SECRETIVE)
        assert CANARY not in str(refused.value)


def test_no_fault_shows_a_secret() -> None:
    found = faults(
        store=f"mysql://admin:{CANARY}@host",
        cache=f"{CANARY}",
        chat_models={"x": f"https://{CANARY}@host", "y": CANARY},
        api_keys={"x": CANARY, "offline": Secret(f"{CANARY} {CANARY}")},
        key_pepper=Secret(CANARY),
        retired_key_peppers=(Secret(CANARY),),
        default_price=CANARY,
        price_book=CANARY,
        key_prefix=CANARY,
    )
    assert len(found) >= 7
    assert not [fault for fault in found if CANARY in fault]


def test_a_default_price_may_be_given() -> None:
    prices = {Meter.REQUESTS: Price(Money.of("0.01", "USD"), 1)}
    since = datetime(2026, 1, 1, tzinfo=UTC)
    default = ModelPrices(model="default", effective_from=since, prices=prices)
    assert Settings(default_price=default).default_price == default
