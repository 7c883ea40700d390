"""A provider's key goes to one origin, unless the settings say that it may go to more."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.application.asked_models import KeyedEmbedder, KeyedModel, answer
from tollkeeper import open_tollkeeper
from tollkeeper.application.key_pools import PoolKey
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.settings import KNOWN_PROVIDERS, Settings
from tollkeeper.infra.settings_places import origin_of

ONE, TWO = "openai+https://one.example/v1", "openai+https://two.example/v1"
POOL = (PoolKey("main", Secret("sk-1")), PoolKey("spare", Secret("sk-2")))
HELD: list[dict[str, Any]] = [
    {"api_keys": {"house": Secret("sk-1")}},
    {"key_pools": {"house": POOL}},
]


def faults(**fields: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as refused:
        Settings(**fields)
    return refused.value.faults


def load(folder: Path, toml: str, environ: Mapping[str, str] | None = None) -> Settings:
    file = folder / "tollkeeper.toml"
    file.write_text(toml, "utf-8")
    return Settings.load(file=file, environ=environ or {})


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("openai+https://API.example/v1?idle_timeout=5", "https://api.example:443"),
        ("litellm+https://api.example:443/other", "https://api.example:443"),
        ("https://api.example", "https://api.example:443"),
        ("openai+http://127.0.0.1:8080/v1", "http://127.0.0.1:8080"),
        ("openai+http://user:secret@host", "http://host:80"),
        ("openai+http://[::1]:1/v1", "http://[::1]:1"),
        ("acme://eu-west-1", "acme://eu-west-1"),
        ("offline://", ""),
        ("offline://?delay_ms=5", ""),
        ("openai+https://host:port", ""),
        ("openai+https://[nonsense", ""),
        ("", ""),
    ],
)
def test_the_origin_of_a_url_is_where_its_requests_go(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize("held", HELD, ids=["key", "pool"])
@pytest.mark.parametrize(
    "other", [TWO, "openai+http://one.example/v1", "openai+https://one.example:8443/v1"]
)
def test_a_key_for_two_origins_is_refused_with_the_remedy(held: dict[str, Any], other: str) -> None:
    (fault,) = faults(chat_models={"house": ONE}, embedders={"house": other}, **held)
    (field,) = held
    assert fault == (
        f"{field}.house would be sent to {origin_of(ONE)} (chat_models) and {origin_of(other)} "
        "(embedders): call one of them by another name, with a key of its own; or list house in "
        "shared_keys if both may see the key"
    )


@pytest.mark.parametrize("held", HELD, ids=["key", "pool"])
@pytest.mark.parametrize(
    "fields",
    [
        {"embedders": {"house": "litellm+https://one.example/other?provider=mistral"}},
        {"embedders": {"house": "offline://"}},
        {"embedders": {"vectors": TWO}},
        {"embedders": {"house": TWO}, "shared_keys": ("house",)},
        {"embedders": {"house": TWO}, "shared_keys": ["house"]},
    ],
    ids=["same-origin", "no-origin", "other-name", "shared", "shared-list"],
)
def test_a_key_for_one_origin_or_one_that_is_shared_passes(
    held: dict[str, Any], fields: dict[str, Any]
) -> None:
    assert Settings(chat_models={"house": ONE}, **held, **fields).chat_models["house"] == ONE


def test_transcribers_get_keys_too_but_none_of_a_pool() -> None:
    # What a transcriber of a third party would be called like; none of ours has a host.
    away = {"house": "pocketsphinx://sound.example"}
    (fault,) = faults(chat_models={"house": ONE}, transcribers=away, **HELD[0])
    assert "(chat_models)" in fault
    assert "(transcribers)" in fault
    assert Settings(chat_models={"house": ONE}, transcribers=away, **HELD[1]).transcribers == away


def test_faults_of_places_are_listed_with_the_others(tmp_path: Path) -> None:
    toml = f"""
    [local]
    tries = 0
    hedge_after = "5m"
    [local.chat_models]
    house = "{ONE}"
    [local.embedders]
    house = "{TWO}"
    [local.api_keys]
    house = "sk-x"
    [local.concurrency]
    hosue = 5
    [local.fallbacks]
    "house/m" = ["house/m"]
    """
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, toml)
    found = [fault.partition(" ")[0] for fault in refused.value.faults]
    assert sorted(found) == [
        "api_keys.house",
        "concurrency.hosue:",
        "fallbacks.house/m:",
        "hedge_after",
        "tries",
    ]
    assert "sk-x" not in str(refused.value)


@pytest.mark.parametrize(
    ("own", "assumed"), [("chat_models", "embedders"), ("embedders", "chat_models")]
)
@pytest.mark.parametrize("table", ["api_keys", "key_pools"])
def test_a_key_for_a_gateway_is_not_sent_to_where_the_provider_usually_is(
    tmp_path: Path, own: str, assumed: str, table: str
) -> None:
    toml = f'[local.{own}]\nopenai = "{ONE}"\n'
    environ = {f"TOLLKEEPER_{table.upper()}__OPENAI": "sk-of-the-gateway"}
    settings = load(tmp_path, toml, environ)
    assert getattr(settings, own)["openai"] == ONE
    assert "openai" not in getattr(settings, assumed)
    shared = load(tmp_path, toml, {**environ, "TOLLKEEPER_SHARED_KEYS": "openai"})
    assert getattr(shared, assumed)["openai"] == KNOWN_PROVIDERS["openai"]
    usual = KNOWN_PROVIDERS["openai"]
    same = load(tmp_path, f'[local.{own}]\nopenai = "{usual}?idle_timeout=9"\n', environ)
    assert getattr(same, assumed)["openai"] == usual


@pytest.mark.anyio
@pytest.mark.parametrize("shared", [(), ("house",)], ids=["not-shared", "shared"])
async def test_a_pool_for_lent_adapters_at_two_origins_is_refused_at_the_start(
    shared: tuple[str, ...],
) -> None:
    settings = Settings(
        environment="test",
        store="memory://",
        chat_models={"house": "offline://"},
        embedders={},
        transcribers={},
        key_pools={"house": POOL},
        shared_keys=shared,
    )
    lent: dict[str, Any] = {
        "chat_models": {"house": KeyedModel("house", answer())},
        "embedders": {"house": KeyedEmbedder("house", "https://two.example")},
    }
    if shared:
        async with open_tollkeeper(settings, **lent) as tk:
            assert tk.embed.asking.key_pools.pool("house") is not None
        return
    with pytest.raises(ConfigurationError) as refused:
        async with open_tollkeeper(settings, **lent):
            pass
    (fault,) = refused.value.faults
    assert fault.startswith(
        "key_pools.house would be sent to https://one.example:443 and https://two.example:443: "
    )
