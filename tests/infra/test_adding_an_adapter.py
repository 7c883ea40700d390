"""ADDING_AN_ADAPTER.md: its example works as somebody else's package, its tables are true."""

import ast
import inspect
import pkgutil
import re
import subprocess
import sys
import textwrap
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from tests.documents import ROOT, blocks, table, ticked
from tests.infra.cli_runs import clean_environ
from tollkeeper import contracts
from tollkeeper.contracts.contract import Contract
from tollkeeper.infra.registry import CONTEXT

PAGE = ROOT / "ADDING_AN_ADAPTER.md"
ADAPTER, USE, TESTS, TYPES = (block.text for block in blocks(PAGE, "python"))
(ENTRY_POINTS,) = (block.text for block in blocks(PAGE, "toml"))
(VERIFY,) = (block.text for block in blocks(PAGE, "sh"))
OF_PYTEST = {"monkeypatch", "request", "tmp_path", "pytestconfig", "self"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the example: its module, and the metadata that its pyproject.toml would make."""
    site = tmp_path_factory.mktemp("site")
    (site / "folder_cache.py").write_text(ADAPTER, "utf-8")
    info = site / "folder_cache-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: folder-cache\nVersion: 1.0\n")
    groups = tomllib.loads(ENTRY_POINTS)["project"]["entry-points"]
    lines = []
    for group, points in groups.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return site


def run(
    site: Path, folder: Path, *command: str, expect: int = 0
) -> "subprocess.CompletedProcess[str]":
    """Run Python in *folder*, where the example is installed."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=clean_environ(PYTHONPATH=str(site)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def test_the_example_keeps_the_contract(site: Path, tmp_path: Path) -> None:
    (tmp_path / "test_folder_cache.py").write_text(TESTS, "utf-8")
    done = run(site, tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error")
    passed = re.findall(r"^(\d+) passed in", done.stdout, re.MULTILINE)
    assert int(passed[0]) > 10, done.stdout


def test_settings_select_the_example_by_its_scheme(site: Path, tmp_path: Path) -> None:
    (tmp_path / "use.py").write_text(USE, "utf-8")
    assert run(site, tmp_path, "-W", "error", "use.py").stdout == "Hello 2\n"
    assert list((tmp_path / "answers").iterdir())


def test_the_example_can_be_verified(site: Path, tmp_path: Path) -> None:
    (command,) = VERIFY.splitlines()
    _, *arguments = command.split()
    done = run(site, tmp_path, "-m", "tollkeeper", *arguments)
    assert re.search(r"^\d+ passed, 0 failed", done.stdout, re.MULTILINE), done.stdout


def test_mypy_accepts_the_line_that_shows_conformance(site: Path, tmp_path: Path) -> None:
    fits = tmp_path / "fits.py"
    fits.write_text("from pathlib import Path\n" + TYPES, "utf-8")
    lacks = tmp_path / "lacks.py"
    lacks.write_text(fits.read_text().replace('FolderCache(Path("answers"), SystemClock())', "7"))
    mypy = ("-m", "mypy", "--strict", f"--cache-dir={ROOT / '.mypy_cache'}")
    run(site, tmp_path, *mypy, str(site / "folder_cache.py"), str(fits))
    assert "Cache" in run(site, tmp_path, *mypy, str(lacks), expect=1).stdout


def test_the_page_names_the_keywords_of_each_factory() -> None:
    rows = {ticked(row["port"])[0]: row["`from_url` is called with"] for row in table(PAGE, "port")}
    assert {port: tuple(ticked(text)) for port, text in rows.items()} == {
        port: ("url", *names) for port, names in CONTEXT.items()
    }


def _suites() -> dict[str, type]:
    # What `tollkeeper verify` runs is no suite.
    names = [module.name for module in pkgutil.iter_modules(contracts.__path__)]
    modules = [name for name in names if not name.startswith("verification")]
    members = [vars(import_module(f"tollkeeper.contracts.{name}")) for name in modules]
    return {
        name: value
        for module in members
        for name, value in module.items()
        if name.endswith("Contract") and value is not Contract
    }


def _own_fixtures(suite: type) -> dict[str, set[str]]:
    """Return the fixtures that *suite* has, each with those that it asks for."""
    found: dict[str, set[str]] = {}
    for cls in suite.__mro__[:-1]:
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(body, ast.ClassDef)
        for function in body.body:
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and any(
                ast.unparse(each).startswith("pytest.fixture") for each in function.decorator_list
            ):
                found.setdefault(function.name, {each.arg for each in function.args.args})
    return found


def _asked_by_tests(suite: type) -> set[str]:
    """Return what the tests of *suite* take, but for what their parameters give."""
    asked: set[str] = set()
    for name, test in inspect.getmembers(suite, inspect.isfunction):
        if name.startswith("test_"):
            marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
            named = (mark.args[0] for mark in marks)
            given = [each.split(",") if isinstance(each, str) else each for each in named]
            taken = {name.strip() for names in given for name in names}
            asked |= set(inspect.signature(test).parameters) - taken
    return asked


def test_the_page_lists_every_suite_with_its_fixtures() -> None:
    column = "suite in `tollkeeper.contracts`"
    rows = {ticked(row[column])[0]: row for row in table(PAGE, column)}
    suites = _suites()
    assert set(rows) == {f"{cls.__module__.split('.')[-1]}.{name}" for name, cls in suites.items()}
    for name, suite in suites.items():
        row = rows[f"{suite.__module__.split('.')[-1]}.{name}"]
        own = _own_fixtures(suite)
        asked = _asked_by_tests(suite).union(*own.values())
        assert set(ticked(row["you give"])) == asked - set(own) - OF_PYTEST, name
        assert set(ticked(row["you may give"])) <= set(own), name
