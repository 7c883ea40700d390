"""Telling what becomes of a verification, test by test, as lines of JSON."""

import json
from typing import Any, TextIO

import pytest

from tollkeeper.domain.secret import Secret

OF_THE_STORE = (
    *("ledger", "key_store", "usage_log", "plan_store", "audit_log", "attempt_log"),
    *("outbox", "quota_counter", "data_key_store", "credential_store"),
)


class Run:
    """What to run, and where to tell about it."""

    def __init__(self, wanted: dict[str, Any], channel: TextIO) -> None:
        self.port: str = wanted["port"]
        self.url: str = wanted["url"]
        self.model: str = wanted["model"]
        self.provider: str = wanted["provider"]
        self.api_key = Secret(wanted["api_key"]) if wanted["api_key"] else None
        self._channel = channel

    @property
    def adapter_port(self) -> str:
        """The port that the URL is of: the parts of a store come with the store."""
        return "store" if self.port in OF_THE_STORE else self.port

    def tell(self, **event: object) -> None:
        """Send one line."""
        self._channel.write(json.dumps(event) + "\n")
        self._channel.flush()


RUN = pytest.StashKey[Run]()
"""Where pytest's configuration has it."""


class Teller:
    """Tells what happens."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def pytest_configure(self, config: pytest.Config) -> None:
        """Keep the run where fixtures find it."""
        config.stash[RUN] = self._run

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell of suites that do not load."""
        if report.failed:
            self._run.tell(event="broken", reason=_reason(report))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell how many tests there are."""
        self._run.tell(event="begin", tests=len(session.items))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell which test begins."""
        suite, test = _names(nodeid)
        self._run.tell(event="start", suite=suite, test=test)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell how a test ended."""
        # A test that ran is told of when it ran; one that did not, or not to its end, by the
        # step that failed or skipped it.
        if report.when == "call" or not report.passed:
            suite, test = _names(report.nodeid)
            self._run.tell(
                event="test",
                suite=suite,
                test=test,
                outcome=report.outcome,
                seconds=round(report.duration, 4),
                reason="" if report.passed else _reason(report),
            )

    def pytest_sessionfinish(self) -> None:
        """Tell that it was all."""
        self._run.tell(event="end")


def _names(nodeid: str) -> tuple[str, str]:
    _, _, names = nodeid.partition("::")
    suite, _, test = names.partition("::")
    return suite, test


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Say on one line why a test did not pass."""
    shown: Any = report.longrepr
    if isinstance(shown, tuple):  # where and why it was skipped
        lines = [str(shown[2])]
    elif hasattr(shown, "reprcrash"):
        lines = shown.reprcrash.message.splitlines()[:2]
    else:  # pytest's own text, with the error at its end
        lines = str(shown or "").splitlines()[-1:]
    # "AssertionError: it should" and "assert 1 == 2" say more together.
    said = [line.removeprefix("E ").strip() for line in lines]
    return " · ".join(filter(None, said))[:300] or "no reason was given"
