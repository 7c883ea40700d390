"""A scheme names an adapter: ours by the table, others' by their entry points."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.infra.lazy import Lazy
from tollkeeper.infra.registry import (
    BUILT_IN,
    CONTEXT,
    fault_of,
    is_built_in,
    make_adapter,
    scheme_of,
)

NAMED = [(port, scheme, lazy) for port, by in BUILT_IN.items() for scheme, lazy in by.items()]


@pytest.mark.parametrize(("port", "scheme", "lazy"), NAMED, ids=lambda value: str(value)[:30])
def test_every_named_adapter_can_be_imported(port: str, scheme: str, lazy: Lazy) -> None:
    factory = lazy.load()
    parameters = inspect.signature(factory).parameters
    assert [*parameters] == ["url", *CONTEXT[port]]
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in CONTEXT[port])
    assert fault_of(port, f"{scheme}://") is None


def test_every_port_that_is_chosen_by_url_says_what_its_factories_get() -> None:
    assert BUILT_IN.keys() == CONTEXT.keys()


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("sqlite:///tollkeeper.db", "sqlite"),
        ("openai+https://host/v1", "openai+https"),
        ("memory://", "memory"),
        ("tollkeeper.db", ""),
        ("file:./outbox", ""),
        ("", ""),
    ],
)
def test_a_scheme_stands_before_the_slashes(url: str, scheme: str) -> None:
    assert scheme_of(url) == scheme


def test_our_own_schemes_are_known() -> None:
    assert is_built_in("store", "memory://")
    assert not is_built_in("store", "offline://")


@pytest.mark.parametrize("url", [None, 5, b"memory://", "", "memory", "memory:", "//memory"])
def test_what_is_no_url_is_said_to_be_none(url: object) -> None:
    assert fault_of("cache", url) == "cache: an adapter is named by a URL, such as memory://"


def test_an_unknown_scheme_is_said_without_the_rest_of_the_url() -> None:
    fault = fault_of("store", "mysql://admin:hunter2@host/db")
    assert fault == (
        "store: no adapter is called mysql; there are memory, postgres, postgresql, sqlite, "
        "supabase+http, supabase+https"
    )
    with pytest.raises(ConfigurationError, match="no adapter is called mysql") as refused:
        make_adapter("store", "mysql://admin:hunter2@host/db")
    assert "hunter2" not in str(refused.value)


# Somebody else's package: a module and the metadata that pip would have written.
ADAPTERS = '''
from datetime import timedelta
from tollkeeper.domain.completions import Completion, Delta, FinishReason, TokenUsage


class ParrotModel:
    """Says what it heard, and how it was made."""

    def __init__(self, url, api_key, provider):
        self.url, self.api_key, self.provider = url, api_key, provider

    @classmethod
    def from_url(cls, url, *, api_key, provider):
        return cls(url, api_key, provider)

    async def complete(self, request, *, credential=None):
        said = f"{request.messages[-1].text} {request.model} {self.url} {self.api_key.reveal()}"
        usage = TokenUsage(input=1, output=1)
        return Completion(text=said, finish_reason=FinishReason.STOP, usage=usage, model="parrot")

    async def stream(self, request, *, credential=None):
        whole = await self.complete(request)
        yield Delta(text=whole.text, finish_reason=whole.finish_reason, usage=whole.usage)


class NotedCache:
    """Keeps nothing and tells what was asked."""

    asked = []

    @classmethod
    def from_url(cls, url, *, clock):
        cls.asked.append((url, type(clock).__name__))
        return cls()

    async def __aenter__(self):
        self.asked.append("opened")
        return self

    async def __aexit__(self, *_):
        self.asked.append("closed")

    async def get(self, key):
        return None

    async def set(self, key, value, *, ttl):
        pass

    async def add(self, key, value, *, ttl):
        return True

    async def delete(self, key):
        return False
'''
ENTRY_POINTS = """
[tollkeeper.adapters]
chat_model.parrot = parrot_adapters:ParrotModel.from_url
cache.noted = parrot_adapters:NotedCache.from_url
cache.gone = parrot_adapters:NoSuchCache.from_url
store.gone = no_such_module:Store.from_url
"""
HOST = """
import asyncio
from tollkeeper import Money, Secret, Settings, open_tollkeeper, user
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.infra.registry import fault_of, make_adapter
from parrot_adapters import NotedCache


async def main():
    settings = Settings(
        environment="test",
        store="memory://",
        cache="noted://here",
        chat_models={"polly": "parrot://cage"},
        api_keys={"polly": Secret("cracker")},
        transcribers={},
        price_book="prices.toml",
    )
    async with open_tollkeeper(settings) as tk:
        issued = await tk.issue_key(account="acme", scopes={"chat:complete"})
        principal = await tk.authenticate_key(issued.token)
        money = Money.of("1", "USD")
        await tk.grant_credit(account="acme", amount=money, idempotency_key="welcome")
        said = await tk.complete(principal, model="polly/grey", messages=[user("Hello")])
        print(said.text, said.receipt.charged)
    print(NotedCache.asked)


asyncio.run(main())
print(fault_of("store", "mysql://"))
print(fault_of("cache", "noted://"))
for port in ("cache", "store"):
    try:
        make_adapter(port, "gone://")
    except ConfigurationError as error:
        print(error.code, error)
"""
PRICES = """
[[prices]]
model = "polly/*"
source = "a test"
requests = "0.01 per 1"
"""


def test_an_adapter_of_somebody_else_is_selected_by_its_url_and_used(tmp_path: Path) -> None:
    metadata = tmp_path / "parrot_adapters-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: parrot-adapters\nVersion: 1.0\n"
    )
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "parrot_adapters.py").write_text(ADAPTERS)
    (tmp_path / "prices.toml").write_text(PRICES)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", HOST],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "Hello grey parrot://cage cracker 0.01 USD",
        "[('noted://here', 'SystemClock'), 'opened', 'closed']",
        "store: no adapter is called mysql; there are gone, memory, postgres, postgresql, sqlite, "
        "supabase+http, supabase+https",
        "None",
        "adapter_broken cache: the adapter that is installed for gone:// cannot be imported; "
        "reinstall its package",
        "adapter_broken store: the adapter that is installed for gone:// cannot be imported; "
        "reinstall its package",
    ]
