"""`tollkeeper demo`: the whole main job, for somebody new to it; and `tollkeeper init`."""

import re
from pathlib import Path

import pytest

from tests.infra.cli_runs import Cli, refused, without
from tollkeeper.domain.key_tokens import TOKEN_PATTERN
from tollkeeper.infra.samples import recording_text
from tollkeeper.infra.settings import Settings

PEPPER = "0123456789abcdef" * 4


def money(text: str, label: str) -> list[int]:
    """Read the amounts that stand after *label*, in nano-units."""
    found = re.findall(rf"^   {label} +(-?)(\d+)\.(\d+) USD", text, re.MULTILINE)
    return [int(f"{sign}{units}{decimals:0<9}") for sign, units, decimals in found]


def test_demo_runs_the_main_job_and_continues_when_run_again(cli: Cli) -> None:
    first, second = cli.process("demo"), cli.process("demo")
    for ran in (first, second):
        assert (ran.code, ran.err) == (0, "")
        assert "\x1b" not in ran.out
        assert not re.search(TOKEN_PATTERN, ran.out)
        assert re.search(r"tk_local_[0-9a-z]{4}…", ran.out)
        assert "Every call is metered, charged once, and shown in the ledger." in ran.out
        assert 'get_weather with {"city": "Paris"}' in ran.out
        assert recording_text() in ran.out
        assert "Unauthenticated: the API key is not valid" in ran.out
        assert "InsufficientCredit: the call needs up to 150." in ran.out
        assert "output tokens" in ran.out
        assert "Run it again" in ran.out
        assert len(money(ran.out, "hold")) == len(money(ran.out, "capture")) == 3
        assert all(
            hold >= capture
            for hold, capture in zip(money(ran.out, "hold"), money(ran.out, "capture"), strict=True)
        )
    assert "granted, once" in first.out
    assert "was granted before" in second.out
    before, *_, after = money(second.out, "balance")
    assert before == money(first.out, "balance")[-1]
    assert before - after == sum(money(second.out, "capture"))
    assert [e["kind"] for e in cli.ledger("demo")] == ["grant", *["capture"] * 6]
    assert int(cli.ledger("demo")[-1]["balance_after"]["nanos"]) == after


def test_demo_works_without_pocketsphinx(cli: Cli) -> None:
    ran = cli.process("demo", PYTHONPATH=without(cli.folder, "pocketsphinx"))
    assert (ran.code, ran.err) == (0, "")
    assert "pip install 'tollkeeper[pocketsphinx]'" in ran.out
    assert "Run it again" in ran.out
    assert len(money(ran.out, "capture")) == 2


def test_demo_takes_no_notice_of_what_lies_around_unless_told(cli: Cli) -> None:
    (cli.folder / "tollkeeper.toml").write_text(
        "[local]\nchat_models = {}\n[test]\nstore = 'sqlite:///elsewhere.db'\ntranscribers = {}\n"
    )
    assert cli.here("demo", TOLLKEEPER_STORE="memory://").code == 0
    assert (cli.folder / "tollkeeper.db").exists()
    refused_for_no_transcriber = cli.here("-e", "test", "demo")
    assert refused_for_no_transcriber.code == 4
    assert "no provider called pocketsphinx" in refused_for_no_transcriber.err
    assert (cli.folder / "elsewhere.db").exists()


def test_demo_stays_away_from_production(cli: Cli) -> None:
    (cli.folder / "tollkeeper.toml").write_text("[production]\n")
    ran = cli.here("-e", "production", "demo", TOLLKEEPER_KEY_PEPPER=PEPPER)
    refused(ran, 2, "local and test")
    assert not (cli.folder / "tollkeeper.db").exists()


def test_demo_where_nothing_can_be_written_is_one_line(cli: Cli) -> None:
    (cli.folder / "tollkeeper.db").mkdir()
    ran = cli.process("demo")
    assert ran.code in (2, 5)
    assert len(ran.err.splitlines()) == 1
    assert ran.err.startswith("error: ")


def test_init_writes_settings_that_load_and_work(cli: Cli) -> None:
    ran = cli.process("init")
    assert (ran.code, ran.err) == (0, "")
    path = Path(cli.folder / "tollkeeper.toml")
    settings = Settings.load(environment="local", file=path, environ={})
    assert settings == Settings(environment="local")
    production = Settings.load(
        environment="production", file=path, environ={"TOLLKEEPER_KEY_PEPPER": PEPPER}
    )
    assert production.key_prefix == "tk_live"
    assert cli.here("ledger", "--account", "acme", "--json").json() == []
    assert cli.here("doctor").code == 0


def test_each_line_that_init_comments_out_is_right_when_it_is_not(cli: Cli) -> None:
    cli.here("init")
    path = cli.folder / "tollkeeper.toml"
    lines = path.read_text().splitlines()
    setting = re.compile(r"# (\[[a-z_.]+\]|[a-z_]+ = .+|\"[a-z/*]+\" = .+)$")
    opened = [m[1] if (m := setting.match(line)) else line for line in lines]
    assert len([line for line in opened if line not in lines]) >= 10
    path.write_text("\n".join(opened))
    (cli.folder / "prices.toml").write_text("")
    (cli.folder / "models.toml").write_text("")
    environ = {"TOLLKEEPER_KEY_PEPPER": PEPPER, "OLD_PEPPER": PEPPER[::-1]}
    environ |= {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}
    environ |= {"TOLLKEEPER_AUDIT_KEY": PEPPER[::-1]}
    settings = Settings.load(environment="production", file=path, environ=environ)
    assert set(settings.chat_models) == {"offline", "openai", "anthropic", "local", "mistral"}
    assert set(settings.api_keys) == {"openai", "anthropic"}
    assert settings.fallbacks["openai/*"] == ("anthropic/claude-sonnet-4-5",)
    assert settings.response_ttl is not None
    assert settings.default_price is not None
    assert len(settings.retired_key_peppers) == 1


def test_init_overwrites_nothing_unless_forced(cli: Cli) -> None:
    path = cli.folder / "tollkeeper.toml"
    path.write_text("# mine\n")
    refused(cli.here("init"), 4, "--force")
    assert path.read_text() == "# mine\n"
    assert cli.here("init", "--force").code == 0
    assert path.read_text().startswith("# Tollkeeper's settings")
    assert [p.name for p in cli.folder.iterdir()] == ["tollkeeper.toml"]


def test_init_that_cannot_write_is_one_line(cli: Cli) -> None:
    (cli.folder / "tollkeeper.toml").mkdir()
    refused(cli.here("init"), 4, "--force")
    refused(cli.here("init", "--force"), 2, "cannot write")
    assert [p.name for p in cli.folder.iterdir()] == ["tollkeeper.toml"]


@pytest.mark.parametrize("command", ["demo", "init"])
def test_arguments_that_are_none_are_refused(cli: Cli, command: str) -> None:
    assert cli.here(command, "what").code == 2
    assert cli.here(command, "--what").code == 2
    assert list(cli.folder.iterdir()) == []
