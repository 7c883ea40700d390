"""What README.md shows is run, in an empty folder, as a newcomer would."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import ROOT, Block, blocks, table, ticked

README = ROOT / "README.md"
EXAMPLE, SYNC_EXAMPLE = (
    block for block in blocks(README, "python") if "open_tollkeeper" in block.text
)
CONSOLE = [
    block
    for page in (README, ROOT / "docs" / "command-line.md")
    for block in blocks(page, "sh", "console")
    if "tollkeeper " in block.text
]


def newcomer(folder: Path) -> dict[str, str]:
    """The environment of somebody who has set nothing but the path to our commands."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("TOLLKEEPER_")}
    commands = Path(sys.executable).parent
    return {**mine, "PATH": f"{commands}{os.pathsep}{mine.get('PATH', '')}", "HOME": str(folder)}


def run_script(block: Block, folder: Path) -> str:
    """Run a block as a program and return what it printed."""
    (folder / "example.py").write_text(block.text, "utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error", "example.py"],
        cwd=folder,
        env=newcomer(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_the_embedding_example_has_twelve_lines() -> None:
    assert len([line for line in EXAMPLE.text.splitlines() if line.strip()]) <= 12


def test_the_embedding_example_prints_what_is_shown_below_it(tmp_path: Path) -> None:
    (shown,) = (block.text for block in blocks(README, "text"))
    assert run_script(EXAMPLE, tmp_path) == shown
    # A second run goes on from the same file: the grant is not repeated, the usage adds up.
    first_requests, second_requests = (
        int(re.findall(r"requests +([0-9]+)", text)[0])
        for text in (shown, run_script(EXAMPLE, tmp_path))
    )
    assert (first_requests, second_requests) == (1, 2)


def test_the_example_without_a_loop_runs(tmp_path: Path) -> None:
    assert run_script(SYNC_EXAMPLE, tmp_path).startswith("Hello")


@pytest.mark.parametrize("block", CONSOLE, ids=lambda block: block.place)
def test_commands_of_the_pages_run_in_order(block: Block, tmp_path: Path) -> None:
    lines = block.text.splitlines()
    if block.language == "console":
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
        cwd=tmp_path,
        env=newcomer(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_the_first_screen_holds_the_two_commands_and_the_example() -> None:
    first_screen = "\n".join(README.read_text("utf-8").splitlines()[:40])
    assert "make demo" in first_screen
    assert "make test" in first_screen
    assert EXAMPLE.text in first_screen


def test_every_port_is_in_the_box() -> None:
    ports = {path.stem for path in (ROOT / "ports").glob("[!_]*.py")} - {
        "clock",
        "health",
        "identifiers",
        "keyed",
        "versioned_secrets",
    }
    named = {name for row in table(README, "port") for name in ticked(row["port"])}
    assert {re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower() for name in named} == ports
