"""`tollkeeper doctor`: each configured part by itself, and what to do where one does not work."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.cli_runs import Cli, without
from tests.servers.openai_server import OpenaiServer, openai_server

THIRD_PARTY = '''
class Broken:
    """Breaks where its URL says."""

    def __init__(self, url):
        self.where = url.partition("://")[2]
        self.fail_at("making")

    @classmethod
    def from_url(cls, url, *, clock=None, api_key=None):
        return cls(url)

    def fail_at(self, where):
        if where == self.where:
            raise ZeroDivisionError("a text that nobody must see")

    async def __aenter__(self):
        self.fail_at("opening")
        return self

    async def __aexit__(self, *_):
        self.fail_at("closing")

    async def health(self):
        self.fail_at("asking")
        return "well"
'''


def install(folder: Path, source: str, points: str) -> str:
    """Install a package of somebody else, and return where."""
    site = folder / "site"
    (site / "thirdparty-1.0.dist-info").mkdir(parents=True)
    (site / "thirdparty-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: thirdparty\nVersion: 1.0\n"
    )
    (site / "thirdparty-1.0.dist-info" / "entry_points.txt").write_text(
        f"[tollkeeper.adapters]\n{points}\n"
    )
    (site / "thirdparty.py").write_text(source)
    return str(site)


@pytest.fixture
def server() -> Iterator[OpenaiServer]:
    with openai_server(api_key="sk-of-the-test") as server:
        yield server


def settings(cli: Cli, text: str = "") -> None:
    """Write settings; without the transcriber, which takes its time to answer."""
    (cli.folder / "tollkeeper.toml").write_text(f"[local]\ntranscribers = {{}}\n{text}")


def test_embedded_default_is_well(cli: Cli) -> None:
    ran = cli.process("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert "all is well" in ran.out
    document = cli.here("doctor", "--json").json()
    assert document["ok"] is True
    assert document["python"].startswith("3.")
    parts = {part["part"]: part for part in document["parts"]}
    assert set(parts) == {
        *("store", "cache", "rate_limiter", "telemetry", "schema_validator"),
        *("broadcast", "event_log", "lock"),
        *("chat_model offline", "embedder offline", "transcriber pocketsphinx"),
        *("price book", "catalogue", "key pepper", "keys"),
    }
    assert parts["store"]["status"] == "reachable"
    assert parts["store"]["latency_ms"] >= 0
    assert parts["cache"] == {
        "part": "cache",
        "adapter": "memory://",
        "status": "in process",
        "latency_ms": None,
        "says": "",
    }


def test_one_broken_part_does_not_hide_the_others(cli: Cli, server: OpenaiServer) -> None:
    good = f"openai+{server.base_url}"
    settings(
        cli,
        'store = "sqlite:///no/such/folder.db"\nprice_book = "nosuch.toml"\n'
        f'[local.chat_models]\noffline = "offline://"\ngood = "{good}"\nbad = "{good}"\n'
        'gone = "openai+http://127.0.0.1:9/v1"\nwrong = "offline://?nosuch=1"\n',
    )
    ran = cli.here(
        *("doctor", "--json"),
        TOLLKEEPER_API_KEYS__GOOD="sk-of-the-test",
        TOLLKEEPER_API_KEYS__BAD="sk-wrong",
    )
    assert ran.code == 1
    parts = {part["part"]: part for part in ran.json()["parts"]}
    assert {name for name, part in parts.items() if part["status"] == "failed"} == {
        *("store", "price book", "chat_model bad", "chat_model gone", "chat_model wrong"),
    }
    assert "folder" in parts["store"]["says"]
    assert "TOLLKEEPER_API_KEYS__BAD" in parts["chat_model bad"]["says"]
    assert "chat_models.gone" in parts["chat_model gone"]["says"]
    assert "nosuch.toml" in parts["price book"]["says"]
    assert parts["chat_model good"]["status"] == "reachable"
    assert "sk-" not in ran.out + ran.err
    table = cli.here("doctor")
    assert (table.code, "what failed" in table.out) == (1, True)


def test_missing_package_is_named_with_its_extra(cli: Cli) -> None:
    (cli.folder / "tollkeeper.toml").write_text(
        '[local.chat_models]\nmine = "openai+http://127.0.0.1:9/v1"\n'
    )
    packages = ("aiohttp", "jsonschema", "pocketsphinx")
    ran = cli.process("doctor", "--json", PYTHONPATH=without(cli.folder, *packages))
    assert ran.code == 1
    parts = {part["part"]: part for part in ran.json()["parts"]}
    assert "pip install 'tollkeeper[openai]'" in parts["chat_model mine"]["says"]
    assert "pip install 'tollkeeper[pocketsphinx]'" in parts["transcriber pocketsphinx"]["says"]
    assert "pip install 'tollkeeper[jsonschema]'" in parts["schema_validator"]["says"]
    assert parts["store"]["status"] == "reachable"


def test_secrets_in_urls_are_masked(cli: Cli) -> None:
    settings(cli)
    site = install(cli.folder, THIRD_PARTY, "cache.mine = thirdparty:Broken.from_url")
    url = "mine://me:hunter2@host/0?token=hunter3"
    for options in ((), ("--json",)):
        ran = cli.process("doctor", *options, PYTHONPATH=site, TOLLKEEPER_CACHE=url)
        assert ran.code == 0
        assert "hunter" not in ran.out + ran.err
        assert "mine://********@host/0?token=********" in ran.out


@pytest.mark.parametrize("where", ["making", "opening", "asking", "closing"])
def test_adapter_of_somebody_else_that_breaks_is_said_to_break(cli: Cli, where: str) -> None:
    settings(cli)
    site = install(cli.folder, THIRD_PARTY, "cache.mine = thirdparty:Broken.from_url")
    ran = cli.process("doctor", "--json", PYTHONPATH=site, TOLLKEEPER_CACHE=f"mine://{where}")
    assert (ran.code, ran.err) == (1, "")
    (failed,) = (part for part in ran.json()["parts"] if part["status"] == "failed")
    assert failed["part"] == "cache"
    assert "ZeroDivisionError" in failed["says"]
    assert "nobody must see" not in ran.out


def test_settings_that_do_not_load_are_what_failed(cli: Cli) -> None:
    settings(cli, 'store = "nosuch://"\ncurrency = "?"\n')
    ran = cli.here("doctor", "--json")
    assert (ran.code, ran.json()["ok"]) == (1, False)
    assert [part["part"] for part in ran.json()["parts"]] == ["settings", "settings"]
    assert cli.here("-e", "nosuch", "doctor").code == 1
    assert "no environment nosuch" in cli.here("-e", "nosuch", "doctor").out
    assert cli.here("--file", "nosuch.toml", "doctor").code == 1


def test_doctor_makes_no_pepper(cli: Cli) -> None:
    settings(cli)
    cli.here("doctor")
    assert not (cli.folder / "tollkeeper.pepper").exists()


CALLS = """
secret_source = "env://MINE_"
token_counter = "bpe-openai://"
[local.chat_models]
offline = "offline://"
groq = "openai+http://127.0.0.1:9/v1"
[local.key_pools]
groq = [{ key = "secret:ONE", weight = 3, label = "one" }, { key = "secret:TWO", label = "two" }]
offline = ["sk-first-of-two", "sk-second-of-two"]
[local.fallbacks]
"offline/slow" = ["offline/echo"]
"offline/*" = ["offline/echo", "openai/gpt-4o", "groq/never-heard-of", "echo"]
"""


def test_what_calls_go_by_is_checked(cli: Cli) -> None:
    settings(cli, CALLS)
    ran = cli.here("doctor", "--json", MINE_ONE="sk-secret-one")
    parts = {part["part"]: part for part in ran.json()["parts"]}
    assert parts["secret_source"]["adapter"] == "env://MINE_"
    assert parts["token_counter"]["status"] != "failed"
    assert parts["catalogue"]["says"].endswith("providers")
    pool = parts["key pool offline"]
    assert (pool["status"], pool["adapter"]) == ("in process", "2 keys")
    assert pool["says"] == "key-1 50%, key-2 50%"
    named = parts["key pool groq"]
    assert named["status"] == "failed"
    assert named["says"].startswith("two: ")
    assert "MINE_TWO" in named["says"]
    assert parts["fallbacks offline/slow"]["says"] == "each has a provider and a price"
    said = parts["fallbacks offline/*"]["says"]
    assert "openai/gpt-4o: no provider called openai is in chat_models" in said
    assert "groq/never-heard-of has no price" in said
    assert "echo is no model" in said
    assert "offline/echo" not in said
    assert "sk-" not in ran.out + ran.err
    well = cli.here("doctor", "--json", MINE_ONE="sk-one", MINE_TWO="sk-two").json()["parts"]
    (named,) = (part for part in well if part["part"] == "key pool groq")
    assert (named["status"], named["says"]) == ("reachable", "one 75%, two 25%")


def test_fallback_of_an_alias_is_said_never_to_be_used(cli: Cli) -> None:
    (cli.folder / "models.toml").write_text(
        '[[models]]\nid = "offline/echo"\nextends = true\naliases = ["parrot"]\n'
        '[[models]]\nid = "offline/long"\nextends = true\nenabled = false\n'
    )
    settings(
        cli,
        'catalogue = "models.toml"\nonly_known_models = true\n'
        '[local.fallbacks]\nparrot = ["offline/slow"]\n'
        '"offline/slow" = ["parrot"]\n"offline/echo" = ["offline/long", "offline/long-9"]\n',
    )
    parts = {part["part"]: part for part in cli.here("doctor", "--json").json()["parts"]}
    assert parts["fallbacks parrot"]["says"] == (
        "parrot is another name of offline/echo; write that, under fallbacks"
    )
    assert parts["fallbacks offline/slow"]["status"] == "in process"
    said = parts["fallbacks offline/echo"]["says"]
    assert "offline/long is switched off" in said
    assert "offline/long-9 is not in the catalogue" in said
