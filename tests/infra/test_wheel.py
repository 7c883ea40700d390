"""The wheel, as somebody else's project gets it."""

import subprocess
import sys
import textwrap
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ADAPTER_TEST = '''
import pytest
from tollkeeper.contracts.cache import CacheContract
from tollkeeper.contracts.ledger import LedgerContract


class TestMyLedger(LedgerContract):
    @pytest.fixture
    def store(self):
        from tollkeeper.adapters.memory.store import MemoryStore

        return MemoryStore()

    @pytest.fixture
    def ledger(self, store):
        return store.ledger

    @pytest.fixture
    def usage_log(self, store):
        return store.usage_log


class TestMyForgetfulCache(CacheContract):
    """Keeps nothing: the contract must say so, with the values in the message."""

    @pytest.fixture
    def cache(self):
        class Forgetful:
            async def get(self, key):
                return None

            async def set(self, key, value, *, ttl):
                pass

            async def add(self, key, value, *, ttl):
                return True

            async def delete(self, key):
                return False

        return Forgetful()

    @pytest.fixture
    def advance(self):
        async def advance(duration):
            pass

        return advance
'''


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, by way of the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_real_files_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "tollkeeper/__init__.py",
        "tollkeeper/py.typed",
        "tollkeeper/domain/money.py",
        "tollkeeper/adapters/sqlite/ledger.py",
        "tollkeeper/contracts/ledger.py",
        "tollkeeper/infra/cli/__init__.py",
    } <= names
    data = [*(ROOT / "infra/prices").glob("*.toml"), *(ROOT / "infra/catalogue").glob("*.toml")]
    assert len(data) > 10
    assert {f"tollkeeper/{path.relative_to(ROOT).as_posix()}" for path in data} <= names
    assert any(name.endswith(".wav") for name in names)
    packages = {name.split("/")[0] for name in names}
    assert {name for name in packages if not name.endswith(".dist-info")} == {"tollkeeper"}


def test_the_contract_kit_runs_from_the_wheel_in_a_separate_project(
    wheel: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([python, *quiet, f"{wheel}[contracts]"], check=True, capture_output=True)
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_mine.py").write_text(textwrap.dedent(ADAPTER_TEST))

    result = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )

    failed = {line.split(" - ")[0] for line in result.stdout.splitlines() if "FAILED" in line}
    assert failed, result.stdout + result.stderr
    assert all("TestMyForgetfulCache" in name for name in failed), result.stdout
    assert " passed" in result.stdout
    # The asserts inside the kit are rewritten, so that a failure shows what was compared.
    assert "assert None == b" in result.stdout or "assert None is" in result.stdout
