"""`tollkeeper verify`: the contract suites against whatever stands behind a URL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.cli_runs import Cli, refused, without
from tests.infra.test_cli_doctor import install
from tests.servers.openai_server import OpenaiServer, openai_server
from tests.servers.redis_server import redis_server

FORGETFUL = '''
import time

from tollkeeper.adapters.memory.cache import MemoryCache
from tollkeeper.adapters.pocketsphinx.transcriber import PocketsphinxTranscriber
from tollkeeper.domain.errors import Unavailable
from tollkeeper.infra.samples import recording, recording_text


class Watch:
    """A clock of one's own."""

    monotonic = staticmethod(time.monotonic)


def good(url, *, clock):
    return MemoryCache(clock)


def own_clock(url, *, clock):
    return MemoryCache(Watch())


class Forgetful(MemoryCache):
    async def set(self, key, value, *, ttl):
        """Keep nothing."""


def forgetful(url, *, clock):
    print("adapters may print")
    return Forgetful(clock)


class Leaky(MemoryCache):
    url = ""

    async def get(self, key):
        raise RuntimeError(f"could not connect to {self.url}")


def leaky(url, *, clock):
    cache = Leaky(clock)
    cache.url = url
    return cache


class Down(MemoryCache):
    async def health(self):
        raise Unavailable("it is down", port="cache", adapter="down")


def down(url, *, clock):
    return Down(clock)


class Lazily(MemoryCache):
    async def get(self, key):
        import os
        os._exit(7)


def kills(url, *, clock):
    return Lazily(clock)


class Scripted(PocketsphinxTranscriber):
    async def _decode(self, pcm):
        """Know the one recording, and spare the test the engine."""
        return recording_text() if pcm in recording() and len(pcm) > 100_000 else ""


def scripted(url, *, api_key):
    return Scripted()
'''
POINTS = "transcriber.scripted = thirdparty:scripted\n" + "\n".join(
    f"cache.{name} = thirdparty:{function}"
    for name, function in {
        "good": "good",
        "ownclock": "own_clock",
        "forgetful": "forgetful",
        "leaky": "leaky",
        "down": "down",
        "kills": "kills",
    }.items()
)


MODELS = {"chat_model": "echo", "transcriber": "en-us"}


@pytest.fixture
def server() -> Iterator[OpenaiServer]:
    with openai_server(api_key="sk-of-the-test") as server:
        yield server


@pytest.fixture
def site(cli: Cli) -> str:
    return install(cli.folder, FORGETFUL, POINTS)


def test_store_keeps_the_contracts_of_all_its_parts(cli: Cli) -> None:
    ran = cli.here("verify", "store", "sqlite:///live.db", "--json")
    assert ran.code == 0, ran.out
    assert "contract-" in ran.err
    document = ran.json()
    assert (document["ok"], document["failed"], document["skipped"]) == (True, 0, 0)
    assert document["passed"] == len(document["tests"]) > 150
    assert {test["suite"] for test in document["tests"]} == {
        *("TestLedger", "TestKeyStore", "TestUsageLog", "TestPlanStore", "TestAuditLog"),
        *("TestAttemptLog", "TestOutbox", "TestQuotaCounter", "TestDataKeyStore"),
        *("TestCredentialStore", "TestStore"),
    }


def test_live_store_is_left_as_it_was_but_for_the_contract_s_accounts(cli: Cli) -> None:
    cli.credit()
    before = cli.ledger()
    ran = cli.process("verify", "usage_log", "sqlite:///tollkeeper.db")
    assert ran.code == 0
    assert "usage_log at sqlite:///tollkeeper.db" in ran.out
    assert " passed, 0 failed, 0 not run" in ran.out
    assert cli.ledger() == before
    assert cli.here("keys", "list", "--account", "acme", "--json").json() == []


@pytest.mark.parametrize(
    ("port", "url"),
    [
        ("ledger", "memory://"),
        ("cache", "memory://"),
        ("rate_limiter", "memory://"),
        ("lock", "memory://"),
        ("event_log", "memory://"),
        ("broadcast", "memory://"),
        ("telemetry", "jsonl:///{folder}/spans.jsonl"),
        ("attempt_log", "memory://"),
        ("chat_model", "offline://"),
        ("embedder", "offline://"),
        ("token_counter", "bpe-openai://"),
        ("schema_validator", "jsonschema://"),
        ("cipher", "aes256-gcm://"),
        ("cipher", "aes256-gcm-siv://"),
    ],
)
def test_each_other_port_can_be_verified(cli: Cli, port: str, url: str) -> None:
    url = url.format(folder=cli.folder)
    ran = cli.here("verify", port, url, "--json")  # each has a model that is usual
    document = ran.json()
    assert ran.code == 0, [t for t in document["tests"] if t["outcome"] != "passed"]
    assert document["passed"] == len(document["tests"]) > 10


@pytest.mark.parametrize("port", ["cache", "rate_limiter", "lock"])
def test_what_goes_by_a_clock_of_its_own_is_verified_as_far_as_that_goes(
    cli: Cli, port: str
) -> None:
    with redis_server() as redis:
        ran = cli.here("verify", port, redis.url, "--json")
    document = ran.json()
    outcomes = [test["outcome"] for test in document["tests"]]
    assert ran.code == 0, [t for t in document["tests"] if t["outcome"] == "failed"]
    assert outcomes.count("passed") >= 10
    assert all("clock of its own" in t["reason"] for t in document["tests"] if t["reason"])


def test_chat_model_of_a_server_is_verified_with_its_key(cli: Cli, server: OpenaiServer) -> None:
    url = f"openai+{server.base_url}"
    verify = ("verify", "chat_model", url, "--model", "echo")
    ran = cli.here(*verify, "--json", TOLLKEEPER_API_KEYS__OPENAI="sk-of-the-test")
    assert ran.code == 0, [t for t in ran.json()["tests"] if t["outcome"] != "passed"]
    mine = cli.here(*verify, "--provider", "mine", TOLLKEEPER_API_KEYS__MINE="sk-wrong")
    refused(mine, 5)
    assert "sk-" not in ran.out + ran.err + mine.err
    refused(cli.here("verify", "chat_model", url), 2, "--model")


@pytest.mark.parametrize(("port", "url"), [("cache", "good://"), ("transcriber", "scripted://")])
def test_adapter_of_somebody_else_is_verified(cli: Cli, site: str, port: str, url: str) -> None:
    model = MODELS.get(port, "")
    ran = cli.process("verify", port, url, "--model", model, "--json", PYTHONPATH=site)
    assert ran.code == 0
    assert ran.json()["passed"] == len(ran.json()["tests"])


def test_adapter_with_a_clock_of_its_own_is_waited_for_but_not_for_long(
    cli: Cli, site: str
) -> None:
    ran = cli.process("verify", "cache", "ownclock://", "--json", PYTHONPATH=site)
    document = ran.json()
    assert (ran.code, document["failed"]) == (0, 0)
    skipped = [test for test in document["tests"] if test["outcome"] == "skipped"]
    assert skipped
    assert all("a clock of its own" in test["reason"] for test in skipped)


def test_broken_adapter_is_found_out_and_each_reason_is_one_line(cli: Cli, site: str) -> None:
    ran = cli.process("verify", "cache", "forgetful://", PYTHONPATH=site)
    assert ran.code == 1
    (line,) = (each for each in ran.out.splitlines() if "what is kept comes back[5]" in each)
    assert "failed" in line
    assert "assert None == b'value'" in line
    assert "adapters may print" not in ran.out
    assert "Traceback" not in ran.out + ran.err


def test_what_could_be_secret_in_the_url_is_not_shown(cli: Cli, site: str) -> None:
    url = "leaky://me:hunter2@host/?token=hunter3"
    ran = cli.process("verify", "cache", "-", stdin=url + "\n", PYTHONPATH=site)
    assert ran.code == 1
    assert "could not connect to leaky://********@host" in ran.out
    assert "hunter" not in ran.out + ran.err


def test_adapter_that_cannot_be_reached_is_one_line(cli: Cli, site: str) -> None:
    refused(cli.process("verify", "cache", "down://", PYTHONPATH=site), 5, "it is down")
    refused(cli.here("verify", "store", "sqlite:///no/such/folder.db"), 2, "folder")


def test_adapter_that_ends_the_process_proves_nothing(cli: Cli, site: str) -> None:
    ran = cli.process("verify", "cache", "kills://", "--json", PYTHONPATH=site)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1].startswith("error: the suites broke down")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nosuch", "memory://"), "there are store, ledger"),
        (("store", "nosuch://"), "no adapter is called nosuch"),
        (("store", "sqlite"), "named by a URL"),
        (("cache", "sqlite:///x.db"), "no adapter is called sqlite"),
        (("store", "memory://more"), "memory://"),
        (("secret_source", "env://"), "cannot be verified live"),
        (("tables", "memory://"), "cannot be verified live"),
        (("embedder", "openai+http://127.0.0.1:9/v1"), "--model"),
    ],
)
def test_what_cannot_be_verified_is_one_line(
    cli: Cli, arguments: tuple[str, ...], said: str
) -> None:
    refused(cli.here("verify", *arguments), 2, said)


@pytest.mark.parametrize("package", ["pytest", "hypothesis"])
def test_missing_kit_is_named_with_its_extra(cli: Cli, package: str) -> None:
    ran = cli.process("verify", "store", "memory://", PYTHONPATH=without(cli.folder, package))
    refused(ran, 2, package, "pip install 'tollkeeper[contracts]'")


def test_what_lies_in_the_folder_does_not_reach_the_suites(cli: Cli) -> None:
    for name in ("conftest.py", "sitecustomize.py", "json.py"):
        Path(cli.folder / name).write_text("raise SystemExit('I was read')")
    Path(cli.folder / "pytest.ini").write_text("[pytest]\naddopts = --nosuch\n")
    Path(cli.folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts='--no'\n")
    ran = cli.here("verify", "audit_log", "memory://", PYTEST_ADDOPTS="--nosuch")
    assert ran.code == 0
