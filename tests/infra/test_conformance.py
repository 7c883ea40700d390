"""The page docs/conformance.md: written by a run, and compared by each whole one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITE = '''
import pytest
from tollkeeper.contracts.contract import Contract


class LampContract(Contract):
    """A port made up for this test."""

    @pytest.mark.parametrize("colour", ["red", "green"])
    def test_shines(self, colour, lamp):
        assert colour in lamp

    def test_goes_out(self, lamp):
        assert lamp

    @pytest.mark.soak
    def test_shines_for_years(self, lamp):
        assert lamp


class TestLamp(LampContract):
    @pytest.fixture
    def lamp(self):
        return {lamp!r}

    def test_of_the_adapter_alone(self, lamp):
        assert lamp
'''
INI = "[pytest]\naddopts = --import-mode=importlib\nmarkers = soak: slow\n"
ROWS = """\
| LampContract | json_lines | 4 | 1 failed, 3 passed | one file |
| LampContract | memory | 4 | passed | in process |
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two adapters, of which one does not shine green."""
    folder = tmp_path / "tests" / "adapters"
    folder.mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text(INI)
    for provider, lamp in (("memory", "red green"), ("json_lines", "red")):
        (folder / f"test_{provider}_lamp.py").write_text(SUITE.replace("{lamp!r}", repr(lamp)))
    return tmp_path


def run(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest with the plugin in *project*."""
    without = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-m", "not soak"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *without, "-p", "tests.conformance", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_writes_a_row_for_each_contract_and_adapter(project: Path) -> None:
    page = project / "docs" / "conformance.md"
    run(project, "--conformance", str(page))
    rows = page.read_text().partition("| --- | --- | --- | --- | --- |\n")[2]
    assert rows == ROWS


def test_a_whole_run_fails_when_the_page_says_otherwise(project: Path) -> None:
    (project / "tests" / "adapters" / "test_json_lines_lamp.py").unlink()
    page = project / "docs" / "conformance.md"
    assert "run: make conformance" in run(project).stdout
    assert run(project, "--conformance", str(page)).returncode == 0
    assert run(project).returncode == 0
    page.write_text(page.read_text().replace("| 4 |", "| 5 |"))
    stale = run(project)
    assert stale.returncode == 1
    assert "docs/conformance.md does not say what this run found" in stale.stdout
    assert "- | LampContract | memory | 5 | passed | in process |" in stale.stdout
    assert "+ | LampContract | memory | 4 | passed | in process |" in stale.stdout


def test_a_part_of_the_run_compares_and_writes_nothing(project: Path) -> None:
    page = project / "docs" / "conformance.md"
    adapter = "tests/adapters/test_memory_lamp.py"
    for part in (["-k", "goes_out"], [adapter], [f"{adapter}::TestLamp::test_goes_out"]):
        assert run(project, *part).returncode == 0
    written = run(project, adapter, "--conformance", str(page))
    assert "not written" in written.stdout
    assert written.returncode == 1
    assert not page.exists()


def test_an_adapter_that_nobody_described_is_a_failure(project: Path) -> None:
    folder = project / "tests" / "adapters"
    (folder / "test_json_lines_lamp.py").rename(folder / "test_acme_lamp.py")
    found = run(project)
    assert found.returncode == 1
    assert "test_acme_lamp.py: name it test_<provider>_<port>.py" in found.stdout
