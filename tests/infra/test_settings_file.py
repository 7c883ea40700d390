"""Settings from a file and from the environment, layer upon layer."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from tollkeeper.domain.meters import Meter
from tollkeeper.domain.money import Money
from tollkeeper.domain.prices import Price
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.settings import Settings

PEPPER = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
CANARY = "sk-canary-7f3a91"

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load settings from this text and these variables, and nothing else."""

    def load(
        toml: str = "", environ: Mapping[str, str] | None = None, environment: str = "local"
    ) -> Settings:
        file = tmp_path / "tollkeeper.toml"
        file.write_text(toml, "utf-8")
        return Settings.load(environment=environment, file=file, environ=environ or {})

    return load


EVERYTHING = f"""
[staging]
store = "sqlite:///staging.db"
cache = "memory://cache"
rate_limiter = "memory://limits"
telemetry = "jsonl:///spans.jsonl"
key_pepper = "{PEPPER}"
retired_key_peppers = ["{OTHER}"]
key_prefix = "acme_staging"
currency = "EUR"
price_book = "prices.toml"
default_max_tokens = 77
call_timeout = "90s"
hold_ttl = "1h"
close_timeout = "250ms"
answer_ttl = "7d"

[staging.chat_models]
offline = "offline://"
house = "openai+http://localhost:9999/v1"

[staging.transcribers]
ears = "pocketsphinx://"

[staging.api_keys]
house = "{CANARY}"

[staging.default_price]
currency = "EUR"
input_tokens = "1.5 per 1000000"
"""


def is_as_written(settings: Settings, folder: Path) -> bool:
    price = settings.default_price
    assert price is not None
    assert price.flagged
    assert price.prices == {Meter.INPUT_TOKENS: Price(Money.of("1.5", "EUR"), 1_000_000)}
    assert settings.environment == "staging"
    assert settings.store == "sqlite:///staging.db"
    assert settings.cache == "memory://cache"
    assert settings.rate_limiter == "memory://limits"
    assert settings.telemetry == "jsonl:///spans.jsonl"
    assert settings.key_pepper == Secret(PEPPER)
    assert settings.retired_key_peppers == (Secret(OTHER),)
    assert (settings.key_prefix, settings.currency) == ("acme_staging", "EUR")
    assert settings.price_book == str(folder / "prices.toml")
    assert settings.default_max_tokens == 77
    assert settings.call_timeout == timedelta(seconds=90)
    assert settings.hold_ttl == timedelta(hours=1)
    assert settings.close_timeout == timedelta(milliseconds=250)
    assert settings.answer_ttl == timedelta(days=7)
    assert settings.chat_models["house"] == "openai+http://localhost:9999/v1"
    assert settings.transcribers == {"ears": "pocketsphinx://"}
    assert settings.api_keys == {"house": Secret(CANARY)}
    return True


def test_every_setting_can_stand_in_the_file(load: Load, tmp_path: Path) -> None:
    assert is_as_written(load(EVERYTHING, environment="staging"), tmp_path)


def test_every_setting_can_stand_in_the_environment(load: Load, tmp_path: Path) -> None:
    environ = {
        "TOLLKEEPER_STORE": "sqlite:///staging.db",
        "TOLLKEEPER_CACHE": "memory://cache",
        "TOLLKEEPER_RATE_LIMITER": "memory://limits",
        "TOLLKEEPER_TELEMETRY": "jsonl:///spans.jsonl",
        "TOLLKEEPER_KEY_PEPPER": PEPPER,
        "TOLLKEEPER_RETIRED_KEY_PEPPERS": OTHER,
        "TOLLKEEPER_KEY_PREFIX": "acme_staging",
        "TOLLKEEPER_CURRENCY": "EUR",
        "TOLLKEEPER_PRICE_BOOK": "prices.toml",
        "TOLLKEEPER_DEFAULT_MAX_TOKENS": "77",
        "TOLLKEEPER_CALL_TIMEOUT": "90s",
        "TOLLKEEPER_HOLD_TTL": "1h",
        "TOLLKEEPER_CLOSE_TIMEOUT": "250ms",
        "TOLLKEEPER_ANSWER_TTL": "7d",
        "TOLLKEEPER_CHAT_MODELS__HOUSE": "openai+http://localhost:9999/v1",
        "TOLLKEEPER_TRANSCRIBERS__EARS": "pocketsphinx://",
        "TOLLKEEPER_API_KEYS__HOUSE": CANARY,
        "TOLLKEEPER_DEFAULT_PRICE__CURRENCY": "EUR",
        "TOLLKEEPER_DEFAULT_PRICE__INPUT_TOKENS": "1.5 per 1000000",
        "HOME": "/nowhere",
        "NOT_TOLLKEEPER_STORE": "nowhere://",
        "TOLLKEEPER_ENVIRONMENT": "read by the command line",
        "TOLLKEEPER_FILE": "read by the command line",
        "TOLLKEEPER_TEST_REDIS_URL": "read by the tests",
    }
    assert is_as_written(load("[staging]", environ, "staging"), tmp_path)


def test_an_environment_inherits_from_the_default(load: Load) -> None:
    toml = f"""
    [default]
    store = "memory://"
    currency = "EUR"
    key_pepper = "{PEPPER}"
    [staging]
    currency = "CHF"
    [production]
    """
    staging = load(toml, environment="staging")
    assert (staging.store, staging.currency) == ("memory://", "CHF")
    production = load(toml, environment="production")
    assert (production.store, production.currency) == ("memory://", "EUR")
    assert load(toml).currency == "EUR"


def test_tables_are_laid_over_each_other_entry_by_entry(load: Load) -> None:
    toml = """
    [default.chat_models]
    offline = "offline://"
    house = "openai+http://default/v1"
    [default.default_price]
    input_tokens = "1 per 1000"
    output_tokens = "2 per 1000"
    [test.chat_models]
    house = "openai+http://test/v1"
    [test.default_price]
    output_tokens = "3 per 1000"
    """
    environ = {"TOLLKEEPER_CHAT_MODELS__MORE": "offline://more"}
    settings = load(toml, environ, "test")
    assert dict(settings.chat_models) == {
        "offline": "offline://",
        "house": "openai+http://test/v1",
        "more": "offline://more",
    }
    assert settings.default_price is not None
    assert {m: str(p.amount) for m, p in settings.default_price.prices.items()} == {
        "input_tokens": "1.00 USD",
        "output_tokens": "3.00 USD",
    }


def test_the_environment_comes_before_the_file(load: Load) -> None:
    settings = load('[local]\ncurrency = "EUR"', {"TOLLKEEPER_CURRENCY": "CHF"})
    assert settings.currency == "CHF"


def test_the_key_of_a_known_provider_is_enough_to_use_it(load: Load) -> None:
    environ = {"TOLLKEEPER_API_KEYS__OPENAI": CANARY}
    assert dict(load("", environ).chat_models) == {
        "offline": "offline://",
        "openai": "openai+https://api.openai.com/v1",
    }
    elsewhere = '[local.chat_models]\nopenai = "openai+https://proxy.example/v1"'
    # What is listed is all there is: no development model slips in beside it.
    assert dict(load(elsewhere, environ).chat_models) == {
        "openai": "openai+https://proxy.example/v1"
    }


def test_secrets_may_stand_elsewhere(load: Load, tmp_path: Path) -> None:
    (tmp_path / "pepper").write_text(f"{PEPPER}\n")
    toml = f"""
    [production]
    key_pepper = "file:{tmp_path}/pepper"
    retired_key_peppers = ["env:OLD_PEPPER", "{PEPPER}0"]
    [production.api_keys]
    openai = "env:OPENAI_API_KEY"
    """
    environ = {"OLD_PEPPER": OTHER, "OPENAI_API_KEY": CANARY}
    settings = load(toml, environ, "production")
    assert settings.key_pepper == Secret(PEPPER)
    assert settings.retired_key_peppers == (Secret(OTHER), Secret(f"{PEPPER}0"))
    assert settings.api_keys["openai"] == Secret(CANARY)
    several = {"TOLLKEEPER_RETIRED_KEY_PEPPERS": f"env:OLD_PEPPER  {PEPPER}", **environ}
    assert load(toml, several, "production").retired_key_peppers == (Secret(OTHER), Secret(PEPPER))


def test_local_exists_without_a_table(load: Load) -> None:
    assert load("[production]").environment == "local"


def test_the_environment_is_read_once_and_never_written(load: Load) -> None:
    environ = {"TOLLKEEPER_CURRENCY": "EUR", "PEPPER": PEPPER}
    settings = load('[local]\nkey_pepper = "env:PEPPER"', environ)
    before = dict(os.environ)
    environ["TOLLKEEPER_CURRENCY"] = "CHF"
    environ["PEPPER"] = OTHER
    assert (settings.currency, settings.key_pepper) == ("EUR", Secret(PEPPER))
    assert dict(os.environ) == before


OF_THE_PROCESS = """
import os
from tollkeeper.infra.settings import Settings
settings = Settings.load()
before = dict(os.environ)
os.environ["TOLLKEEPER_CURRENCY"] = "CHF"
assert settings.currency == "EUR", settings.currency
assert settings.store == "memory://from-the-working-directory", settings.store
assert Settings.load().currency == "CHF"
assert Settings.load(environ={}).currency == "USD"
assert dict(os.environ) == {**before, "TOLLKEEPER_CURRENCY": "CHF"}
"""


def test_a_process_is_asked_at_loading_and_never_again(tmp_path: Path) -> None:
    (tmp_path / "tollkeeper.toml").write_text(
        '[local]\nstore = "memory://from-the-working-directory"'
    )
    environ = {"PATH": os.environ["PATH"], "TOLLKEEPER_CURRENCY": "EUR"}
    command = [sys.executable, "-c", OF_THE_PROCESS]
    run = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_environment_of_the_process_is_not_read_where_another_is_given(load: Load) -> None:
    assert load("", {}).store == "sqlite:///tollkeeper.db"
