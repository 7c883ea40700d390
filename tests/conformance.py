"""A pytest plugin: which adapter passed which contract, as a page.

The run itself finds it out: each test that an adapter's test class inherits from a ``…Contract``
is counted for the adapter (``tests/adapters/test_<provider>_….py``). A run that saw every such
test compares what it found with ``docs/conformance.md`` and fails if the page says otherwise;
``--conformance PATH`` writes the page instead.
"""

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from attrs import define, field

from tollkeeper.contracts.contract import Contract

PAGE = "docs/conformance.md"
ADAPTER_TESTS = "tests/adapters"
RAN_AGAINST: Mapping[str, str] = {
    "anthropic": "HTTP server on loopback",
    "aws": "AWS server on loopback",
    "bpe_openai": "in process",
    "cryptography": "in process and files",
    "environment": "in process",
    "files": "files",
    "json_lines": "one file",
    "jsonschema": "in process",
    "litellm": "HTTP server on loopback",
    "memory": "in process",
    "null": "in process",
    "offline": "in process",
    "openai": "HTTP server on loopback",
    "pocketsphinx": "a process of its own",
    "postgres": "PostgreSQL on loopback",
    "pyjwt": "HTTP server on loopback, a file, in process",
    "redis": "Redis on loopback, one server and a cluster of three",
    "sqlite": "one file",
    "supabase": "PostgREST-like server over PostgreSQL, on loopback",
    "system": "in process",
}
"""What each provider's tests talk to, by the name of its folder."""

_HEAD = f"""\
# Conformance

Which adapter passes which contract. This page is written by the test run (`make conformance`),
and `make test` fails if it is out of date. A contract is a suite in `tests/contracts/`, shipped
as `tollkeeper.contracts`; the adapters' tests stand in `{ADAPTER_TESTS}/`.

"""
_COLUMNS = ("contract", "adapter", "tests", "result", "ran against")
_PROPERTY = "conformance"
Row = tuple[str, str]


def _contract_of(item: pytest.Item) -> str | None:
    """Name the contract that *item* belongs to, or None: it is the adapter's own test."""
    cls = getattr(item, "cls", None)
    if cls is None or not issubclass(cls, Contract):
        return None
    name = getattr(item, "originalname", item.name)
    suites = [c for c in cls.__mro__ if c.__name__.endswith("Contract") and c is not Contract]
    # A suite may extend another: its tests belong to the one that has them first.
    return next((c.__name__ for c in reversed(suites) if hasattr(c, name)), None)


def _provider_of(path: Path) -> str | None:
    """Name the provider whose tests stand in *path*: the longest that its name begins with."""
    name = path.stem.removeprefix("test_")
    fitting = [provider for provider in RAN_AGAINST if name.startswith(f"{provider}_")]
    return max(fitting, key=len, default=None)


def _result(outcomes: Counter[str]) -> str:
    if set(outcomes) == {"passed"}:
        return "passed"
    return ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in sorted(outcomes))


def render(found: Mapping[Row, Counter[str]]) -> str:
    """Write the page: one row for each contract and adapter, in that order; always the same."""
    rows = [_COLUMNS, tuple("---" for _ in _COLUMNS)]
    for (contract, provider), outcomes in sorted(found.items()):
        tests = str(outcomes.total())
        rows.append((contract, provider, tests, _result(outcomes), RAN_AGAINST[provider]))
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


@define(eq=False)
class Conformance:
    """What one run found. Under pytest-xdist the workers say what there is, the rest is heard."""

    root: Path
    write_to: Path | None
    expected: set[str] = field(factory=set)
    """The contract tests that there are, by node id."""
    whole: bool = False
    """Whether every file of adapters' tests was collected, and no contract test left out."""
    outcomes: dict[str, tuple[Row, str]] = field(factory=dict)
    faults: list[str] = field(factory=list)
    _seen: set[Path] = field(factory=set)
    _left_out: bool = False

    def _contract_tests(self, items: Sequence[pytest.Item]) -> Iterator[tuple[pytest.Item, Row]]:
        """Go through the contract tests of *items*, but for those that only ``make soak`` runs."""
        folder = self.root / ADAPTER_TESTS
        for item in items:
            if not item.path.is_relative_to(folder):
                continue
            self._seen.add(item.path)
            contract = _contract_of(item)
            if contract is None or item.get_closest_marker("soak"):
                continue
            provider = _provider_of(item.path)
            if provider is None:
                self.faults.append(
                    f"{item.path.name}: name it test_<provider>_<port>.py, and say in RAN_AGAINST "
                    "(tests/conformance.py) what the provider's tests run against"
                )
            else:
                yield item, (contract, provider)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self._left_out |= any(self._contract_tests(items))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item, row in self._contract_tests(session.items):
            item.user_properties.append((_PROPERTY, row))
            self.expected.add(item.nodeid)
        files = set((self.root / ADAPTER_TESTS).glob("test_*.py"))
        named = any("::" in str(argument) for argument in session.config.args)
        self.whole = bool(files) and files <= self._seen and not self._left_out and not named

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        row = cast(Row | None, dict(report.user_properties).get(_PROPERTY))
        if row is None or (report.when != "call" and report.passed):
            return
        outcome = "failed as expected" if hasattr(report, "wasxfail") else report.outcome
        contract, provider = row
        self.outcomes[report.nodeid] = ((contract, provider), outcome)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear from a worker of pytest-xdist what there is; every worker collects everything."""
        said = getattr(node, "workeroutput", {}).get(_PROPERTY)
        if said is not None:
            self.expected, self.whole = set(said["expected"]), said["whole"]
            self.faults = said["faults"]

    @property
    def page(self) -> str:
        """The page as this run found it."""
        found: dict[Row, Counter[str]] = {}
        for row, outcome in self.outcomes.values():
            found.setdefault(row, Counter())[outcome] += 1
        return render(found)

    def _fault(self) -> str | None:
        if self.faults:
            return self.faults[0]
        if self.write_to is not None and not self.whole:
            return f"not written: this run left some of {ADAPTER_TESTS} out"
        if not self.whole or self.expected != set(self.outcomes):
            return None
        if self.write_to is not None:
            self.write_to.parent.mkdir(parents=True, exist_ok=True)
            self.write_to.write_text(self.page, "utf-8")
            return None
        page = self.root / PAGE
        said = page.read_text("utf-8") if page.is_file() else ""
        if said == self.page:
            return None
        lines = difflib.ndiff(said.splitlines(), self.page.splitlines())
        changed = [line for line in lines if line.startswith(("- ", "+ "))]
        what = f"{PAGE} does not say what this run found; run: make conformance"
        return "\n".join([what, *changed])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_PROPERTY] = {
                "expected": sorted(self.expected),
                "whole": self.whole,
                "faults": self.faults,
            }
            return
        fault = self._fault()
        self.faults = [] if fault is None else [fault]
        if fault is not None and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for fault in self.faults:
            terminalreporter.section("conformance", red=True)
            terminalreporter.line(fault)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--conformance``."""
    parser.addoption(
        "--conformance",
        metavar="PATH",
        type=Path,
        help=f"write the table of adapters and contracts ({PAGE}) to PATH instead of comparing it",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin a page of this run's own."""
    config.pluginmanager.register(Conformance(config.rootpath, config.getoption("--conformance")))
