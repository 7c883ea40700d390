"""Runs a contract suite on an adapter inside the test that asks, to see which tests fail.

::

    results = run_contract(
        "tollkeeper.contracts.ledger:LedgerContract",
        '''
        import pytest
        from tests.kit.broken_ledgers import RacyPlacing

        @pytest.fixture
        async def ledger():
            yield RacyPlacing()
        ''',
    )
    assert results["test_concurrent_holds_never_overdraw"] == "failed"

Fixtures that the suite itself defines are replaced by a class named ``Fixtures`` in that source;
the test class then inherits from it first.
"""

import contextlib
import io
import sys
import tempfile
import textwrap
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

import pytest

Outcome = Literal["passed", "failed"]

_CLASS = """

from {module} import {name} as _Contract

class TestContract(*[cls for cls in [globals().get("Fixtures")] if cls], _Contract):
    pass
"""
# What the run needs not, and what would collect all garbage or write files.
_WITHOUT = ("cacheprovider", "unraisableexception", "threadexception", "xdist", "hypothesispytest")


class _Recorder:
    """Notes how each test ended, and which failed before they began."""

    def __init__(self, only: Collection[str]) -> None:
        self.only = only
        self.outcomes: dict[str, Outcome] = {}
        self.failed_in_setup: set[str] = set()
        self.collection_failed = False

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.only:
            items[:] = [item for item in items if item.name.partition("[")[0] in self.only]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.collection_failed |= report.failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.partition("[")[0].rpartition("::")[2]
        self.outcomes.setdefault(name, "passed")
        if report.failed:
            self.outcomes[name] = "failed"
        if report.failed and report.when == "setup":
            self.failed_in_setup.add(name)


def run_contract(
    contract_class_path: str, fixtures_source: str, *, only: Collection[str] = ()
) -> dict[str, Outcome]:
    """Run the suite named ``module:Class`` with the fixtures of *fixtures_source*.

    Returns how each test of the suite ended, by its name; a parametrised test failed if one of
    its cases did. ``xfail`` and skip count as passed. *only* names the tests to run, where the
    rest of the suite does not matter.

    Raises:
        AssertionError: the source is broken, or its fixtures fail for every test: that would
            prove nothing about the suite.
    """
    module, _, name = contract_class_path.partition(":")
    source = textwrap.dedent(fixtures_source) + _CLASS.format(module=module, name=name)
    recorder = _Recorder(only)
    output = io.StringIO()
    with _folder_for_one_run() as folder, contextlib.redirect_stdout(output):
        (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = ignore\n")
        test_file = folder / f"test_{folder.name}.py"
        test_file.write_text(source)
        options = [f"--rootdir={folder}", "--import-mode=importlib", "-q", "--capture=no"]
        without = [option for plugin in _WITHOUT for option in ("-p", f"no:{plugin}")]
        pytest.main([str(test_file), *options, *without], plugins=[recorder])
    assert recorder.outcomes, output.getvalue()
    assert not recorder.collection_failed, output.getvalue()
    assert recorder.failed_in_setup != set(recorder.outcomes), output.getvalue()
    return recorder.outcomes


def failed_tests(contract_class_path: str, fixtures_source: str) -> set[str]:
    """Run the suite as :func:`run_contract` does and return the names of the tests that failed."""
    results = run_contract(contract_class_path, fixtures_source)
    return {name for name, outcome in results.items() if outcome == "failed"}


@contextlib.contextmanager
def _folder_for_one_run() -> Iterator[Path]:
    """Give the run a folder, and forget the modules that it loaded from there."""
    with tempfile.TemporaryDirectory(prefix="contract_") as name:
        try:
            yield Path(name)
        finally:
            for module in [key for key in sys.modules if Path(name).name in key]:
                del sys.modules[module]
