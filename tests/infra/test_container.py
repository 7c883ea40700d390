"""The container offers what the registry lists, and builds only what is chosen."""

import subprocess
import sys
from typing import Any

import pytest
from attrs import evolve, fields
from dependency_injector import providers

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.infra.bootstrap import Lent, make_container, make_facade
from tollkeeper.infra.container import Container
from tollkeeper.infra.facade import Tollkeeper
from tollkeeper.infra.lazy import Lazy
from tollkeeper.infra.registry import BUILT_IN
from tollkeeper.infra.settings import Settings

SELECTED = (
    *("store", "cache", "rate_limiter", "lock", "event_log", "broadcast"),
    *("telemetry", "schema_validator", "cipher"),
)
BY_PROVIDER = ("chat_model", "embedder", "transcriber")
OPTIONAL = (
    *("tables", "secret_source", "token_counter"),
    *("key_encryption", "token_verifier", "report_verifier"),
)
EVERY_PROVIDER: list[Any] = [*providers.traverse(*Container.providers.values())]
IN_MEMORY = Settings(store="memory://", transcribers={})


def test_the_selectors_offer_exactly_what_the_registry_lists() -> None:
    assert BUILT_IN.keys() == {*SELECTED, *BY_PROVIDER, *OPTIONAL}
    for port in SELECTED:
        selector: Any = getattr(Container, port)
        assert {*selector.providers} == {*BUILT_IN[port], "third_party"}
        for scheme, lazy in BUILT_IN[port].items():
            assert selector.providers[scheme].provides is lazy


def test_every_adapter_that_the_container_names_can_be_imported() -> None:
    named = [
        provider.provides
        for provider in EVERY_PROVIDER
        if isinstance(getattr(provider, "provides", None), Lazy)
    ]
    assert len(named) >= 8
    for lazy in named:
        assert callable(lazy.load())


def test_nothing_depends_on_the_connections() -> None:
    # Else every use case would become awaitable for ever.
    resources = [p for p in EVERY_PROVIDER if isinstance(p, providers.Resource)]
    assert resources == [Container.connections]
    for name, provider in Container.providers.items():
        if name != "connections":
            assert Container.connections not in [*provider.traverse()]


def test_use_cases_are_built_synchronously_and_are_all_there() -> None:
    facade = make_facade(make_container(IN_MEMORY))
    for attribute in fields(Tollkeeper):
        assert type(getattr(facade, attribute.name)).__module__.startswith("tollkeeper.")


def test_what_may_be_lent_has_a_provider() -> None:
    by_provider = {f"{port}s" for port in BY_PROVIDER}
    expected = {f"lent_{name}" if name in by_provider else name for name in Lent.__annotations__}
    assert expected <= Container.providers.keys()


def test_a_port_that_may_be_left_out_is_made_when_it_is_named() -> None:
    left_out = make_container(IN_MEMORY)
    assert (left_out.secret_source(), left_out.token_counter()) == (None, None)
    named = make_container(evolve(IN_MEMORY, secret_source="env://", token_counter="bpe-openai://"))
    assert type(named.secret_source()).__name__ == "EnvironmentSecretSource"
    assert type(named.token_counter()).__name__ == "BpeOpenaiTokenCounter"
    assert named.secret_source() is named.secret_source()


def test_tables_without_a_database_say_how_to_name_one() -> None:
    with pytest.raises(ConfigurationError, match="TOLLKEEPER_TABLES"):
        make_facade(make_container(IN_MEMORY)).tables.select  # noqa: B018
    named = make_container(evolve(IN_MEMORY, tables="memory://"))
    assert make_facade(named).tables is named.tables()


def test_one_container_has_one_of_each_and_two_share_nothing() -> None:
    one, other = make_container(IN_MEMORY), make_container(IN_MEMORY)
    assert one.store() is one.store()
    assert one.store() is not other.store()
    assert one.telemetry() is not other.telemetry()
    assert one.metered_calls() is not other.metered_calls()


def test_what_is_wrongly_lent_or_set_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot lend stroe; there are attempt_log"):
        make_container(IN_MEMORY, stroe=object())  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match="cannot lend None as cipher, key_encryption; "):
        make_container(IN_MEMORY, key_encryption=None, cipher=None)  # type: ignore[arg-type]  # the fault
    with pytest.raises(ConfigurationError, match="settings are made by"):
        make_container({"store": "memory://"})  # type: ignore[arg-type]


NOT_CHOSEN = """
import sys
from tollkeeper.infra.bootstrap import make_container, make_facade
from tollkeeper.infra.settings import Settings
make_facade(make_container(Settings(store="memory://")))
unwanted = {"sqlite3", "aiohttp", "msgspec", "pocketsphinx", "typer", "rich", "pytest"}
unwanted |= {"anthropic", "httpx2", "litellm", "bpe_openai"}
unwanted |= {"boto3", "botocore", "cryptography", "jwt", "redis", "asyncpg", "supabase"}
unwanted |= {f"tollkeeper.adapters.{name}" for name in ("aws", "cryptography", "pyjwt")}
unwanted |= {"tollkeeper.adapters.sqlite", "tollkeeper.adapters.openai"}
unwanted |= {"tollkeeper.adapters.anthropic", "tollkeeper.adapters.litellm"}
print(*sorted(unwanted & sys.modules.keys()))
"""


def test_what_is_not_selected_is_not_imported() -> None:
    run = subprocess.run(
        [sys.executable, "-c", NOT_CHOSEN], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []
