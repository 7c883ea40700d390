"""The tables of the documentation, row by row against the code."""

import re
import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest
import typer.main

from tests.documents import ROOT, table, ticked
from tollkeeper import Settings
from tollkeeper.adapters.openai.dialects import DIALECTS
from tollkeeper.application.chat_options import ChatOptions
from tollkeeper.domain import errors
from tollkeeper.domain.catalogue import Capability
from tollkeeper.domain.completions import Completion
from tollkeeper.domain.meters import Meter
from tollkeeper.infra.cli import exits
from tollkeeper.infra.cli.app import app
from tollkeeper.infra.cli.verify import PORTS
from tollkeeper.infra.registry import BUILT_IN
from tollkeeper.infra.settings import KNOWN_EMBEDDERS, KNOWN_PROVIDERS
from tollkeeper.infra.settings_file import NOT_SETTINGS

DOCS = ROOT / "docs"
SETTINGS_PAGE, ERRORS_PAGE = DOCS / "settings.md", DOCS / "errors.md"
COMMANDS_PAGE, MODELS_PAGE = DOCS / "command-line.md", DOCS / "models.md"
COMPLETIONS_PAGE, RESILIENCE_PAGE = DOCS / "completions.md", DOCS / "resilience.md"
SOURCES = [
    path
    for folder in ("domain", "ports", "application", "adapters", "infra")
    for path in (ROOT / folder).rglob("*.py")
]


def test_every_setting_is_on_its_page_with_its_default(tmp_path: Path) -> None:
    rows = {ticked(row["setting"])[0]: row for row in table(SETTINGS_PAGE, "setting")}
    assert list(rows) == [field.name for field in attrs.fields(Settings)]
    lines = []
    for name, row in rows.items():
        if row["default"] == "none":
            assert getattr(Settings(), name) is None
        elif name == "environment":
            assert row["default"] == '`"local"`'
        else:
            lines.append(f"{name} = {ticked(row['default'])[0]}")
    file = tmp_path / "tollkeeper.toml"
    file.write_text("[default]\n" + "\n".join(lines), "utf-8")
    assert Settings.load(file=file, environ={}) == Settings()
    # A default left out of the file would pass the line above: so each must be read from it.
    assert len(lines) == len(rows) - sum(row["default"] == "none" for row in rows.values()) - 1


def test_variables_that_are_no_settings_are_on_the_page() -> None:
    text = SETTINGS_PAGE.read_text("utf-8")
    assert [name for name in NOT_SETTINGS if f"`{name}`" not in text] == []


def test_every_meter_is_on_the_page_of_settings() -> None:
    text = SETTINGS_PAGE.read_text("utf-8")
    assert [meter for meter in Meter if f"`{meter}`" not in text] == []


SCHEMES = re.compile(r"`([a-z0-9+-]+)://[^`]*`")


@pytest.mark.parametrize("page", ["README.md", "docs/settings.md"])
def test_every_scheme_is_in_the_tables_of_adapters(page: str) -> None:
    names = {
        "ChatModel": "chat_model",
        "Embedder": "embedder",
        "Transcriber": "transcriber",
        "Store": "store",
        "Cache": "cache",
        "RateLimiter": "rate_limiter",
        "Lock": "lock",
        "EventLog": "event_log",
        "Broadcast": "broadcast",
        "Tables": "tables",
        "Telemetry": "telemetry",
        "SecretSource": "secret_source",
        "TokenCounter": "token_counter",
        "SchemaValidator": "schema_validator",
        "Cipher": "cipher",
        "KeyEncryption": "key_encryption",
        "TokenVerifier": "token_verifier",
        "ReportVerifier": "report_verifier",
    }
    found: dict[str, set[str]] = {}
    for row in table(ROOT / page, "port"):
        port = names[ticked(row["port"])[0]]
        cells = " ".join(cell for column, cell in row.items() if column != "port")
        found.setdefault(port, set()).update(SCHEMES.findall(cells))
    assert found == {port: set(schemes) for port, schemes in BUILT_IN.items()}


def test_the_known_providers_are_on_the_page_of_models() -> None:
    rows = {ticked(row["provider"])[0]: row for row in table(MODELS_PAGE, "provider")}
    assert {name: ticked(row["where it is"])[0] for name, row in rows.items()} == KNOWN_PROVIDERS
    assert {name for name, row in rows.items() if row["embeds too"]} == {*KNOWN_EMBEDDERS}


def test_the_dialects_are_on_the_page_of_models_with_what_they_refuse() -> None:
    rows = {ticked(row["dialect"])[0]: row for row in table(MODELS_PAGE, "dialect")}
    assert {name: {*ticked(row["refuses"])} for name, row in rows.items()} == {
        name: {*dialect.quirks.unsupported} for name, dialect in DIALECTS.items()
    }
    text = MODELS_PAGE.read_text("utf-8")
    assert [name for name in Capability if f"`{name}`" not in text] == []


def test_every_option_of_a_completion_is_on_its_page() -> None:
    rows = {name for row in table(COMPLETIONS_PAGE, "argument") for name in ticked(row["argument"])}
    assert rows == {*ChatOptions.__annotations__}
    fields = {name for row in table(COMPLETIONS_PAGE, "field") for name in ticked(row["field"])}
    assert fields == {field.name for field in attrs.fields(Completion)}


def test_the_settings_of_resilience_are_as_on_the_page_of_settings() -> None:
    (pages, other) = (table(SETTINGS_PAGE, "setting"), table(RESILIENCE_PAGE, "setting"))
    defaults = {ticked(row["setting"])[0]: row["default"] for row in pages}
    for row in other:
        names, values = ticked(row["setting"]), row["default"].split(", ")
        for name, value in zip(names, values * len(names), strict=False):
            assert defaults[name] == value, name


def _classes() -> dict[str, type[errors.TollkeeperError]]:
    return {
        name: cls
        for name, cls in vars(errors).items()
        if isinstance(cls, type) and issubclass(cls, errors.TollkeeperError)
    }


def test_every_error_is_on_its_page_with_its_code() -> None:
    rows = {ticked(row["class"])[0]: row for row in table(ERRORS_PAGE, "class")}
    assert {name: cls.default_code for name, cls in _classes().items()} == {
        name: ticked(row["code"])[0] for name, row in rows.items()
    }
    for name, row in rows.items():
        cls = _classes()[name]
        assert row["HTTP status"][:3].isdigit()
        if issubclass(cls, errors.PortError):
            assert row["meaning"].startswith("retryable") is cls.retryable, name


def test_every_code_of_an_error_is_on_the_page() -> None:
    pattern = r'(?:code=|default_code = |\.code = )"([a-z_]+)"'
    written = {code for path in SOURCES for code in re.findall(pattern, path.read_text("utf-8"))}
    for path in (ROOT / "infra" / "migrations").glob("*.sql"):
        written |= set(re.findall(r"HINT = '([a-z_]+)'", path.read_text("utf-8")))
    listed = {code for row in table(ERRORS_PAGE, "codes") for code in ticked(row["codes"])}
    listed |= {ticked(row["code"])[0] for row in table(ERRORS_PAGE, "class")}
    assert written - listed == set()
    put_together = {"key_revoked", "key_expired", "max_tokens_over_plan", "max_tokens_over_model"}
    put_together |= {"key_disabled", "value_refused"}
    assert listed - written - {c.default_code for c in _classes().values()} == put_together


def _commands(command: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Walk the command line: each command by what one types."""
    groups = getattr(command, "commands", {})
    if not groups:
        return {" ".join(path): command}
    found: dict[str, Any] = {}
    for name, each in groups.items():
        found |= _commands(each, (*path, name))
    return found


def _sections(page: Path) -> dict[str, str]:
    """Return what the page says of each command."""
    _, *sections = re.split(r"^### `tollkeeper ([a-z ]+)`$", page.read_text("utf-8"), flags=re.M)
    return dict(zip(sections[::2], sections[1::2], strict=True))


def test_every_command_and_option_is_on_its_page() -> None:
    commands = _commands(typer.main.get_command(app))
    sections = _sections(COMMANDS_PAGE)
    assert set(sections) == set(commands)
    for name, command in commands.items():
        rows = re.findall(r"^\| (`.+?) \|", sections[name], re.MULTILINE)
        documented = {text.split()[0] for row in rows for text in ticked(row)}
        options = {
            option
            for each in command.params
            for option in (each.opts if each.param_type_name == "option" else [each.name.upper()])
        } - {"--help", "-h"}
        assert ("--json" in options) is (name not in ("demo", "init")), name
        assert documented == options - {"--json"}, name


def test_every_port_that_can_be_verified_is_on_the_page_of_commands() -> None:
    (row,) = (
        line
        for line in _sections(COMMANDS_PAGE)["verify"].splitlines()
        if line.startswith("| `PORT`")
    )
    named = row.partition("one of ")[2].partition(";")[0].split(", ")
    assert sorted(named) == sorted(PORTS)


def test_every_extra_is_in_the_readme() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    text = (
        (ROOT / "README.md").read_text("utf-8").partition("The extras are")[2].partition("\n\n")[0]
    )
    ours = {"servers", "test", "bench", "dev"}  # for work on Tollkeeper itself
    assert set(project["optional-dependencies"]) - ours == set(ticked(text)) - {
        "tollkeeper",
        "import tollkeeper",
    }


def test_every_exit_code_is_on_the_page_of_commands() -> None:
    codes = {value for name, value in vars(exits).items() if name.isupper() and type(value) is int}
    rows = table(COMMANDS_PAGE, "exit code")
    assert {int(row["exit code"]) for row in rows} == codes | {0}


def test_every_command_is_in_the_changelog() -> None:
    (line,) = re.findall(
        r"^- The command `tollkeeper`: (.+?)\.$",
        (ROOT / "CHANGELOG.md").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert set(ticked(line)) == set(_commands(typer.main.get_command(app)))
