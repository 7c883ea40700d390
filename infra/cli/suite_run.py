"""Running the contract kit in a process of its own, and hearing how each test ends.

The kit lies above this layer, so it is named here and never imported.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import IO, Any, Literal

from attrs import frozen

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import MASK, Secret
from tollkeeper.infra.cli.masking import masked, secrets_of

VARIABLE = "TOLLKEEPER_TEST_VERIFY"
_PLUGIN = "tollkeeper.contracts.verification"
_SUITES = "tollkeeper.contracts.verification_suites"
_OPTIONS = (
    # Nothing of the folder that we happen to stand in: no settings, no plugins, no cache.
    *("-c", os.devnull, "--noconftest", "-p", "no:cacheprovider"),
    *("-p", "anyio.pytest_plugin", "-p", _PLUGIN),
    *("--tb=short", "-q", "--pyargs", _SUITES),
)


@frozen
class Wanted:
    """Which suites to run on which adapter."""

    port: str
    url: str
    model: str
    api_key: Secret | None
    provider: str


@frozen
class Result:
    """How one test ended."""

    suite: str
    test: str
    outcome: Literal["passed", "failed", "skipped"]
    seconds: float
    reason: str


Event = Mapping[str, Any]


def require_kit() -> None:
    """Check that the kit can run.

    Raises:
        ConfigurationError: a package is not installed.
    """
    for package in ("pytest", "hypothesis"):
        if find_spec(package) is None:
            raise ConfigurationError(
                f"{package} is not installed; run: pip install 'tollkeeper[contracts]'",
                code="extra_missing",
            )


def run_suites(wanted: Wanted, *, hear: Callable[[Event], None]) -> list[Result]:
    """Run the suites, telling *hear* of each event, and return how the tests ended.

    Raises:
        TollkeeperError: the kit broke down before the end; nothing is proven.
    """
    results: dict[tuple[str, str], Result] = {}
    ended = False
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        with _process(wanted, said) as lines:
            for line in lines:
                event = json.loads(line)
                if event["event"] == "broken":
                    raise ConfigurationError(f"the suites do not load: {_clean(event, wanted)}")
                if event["event"] == "test":
                    _note(results, event, wanted)
                ended = event["event"] == "end"
                hear(event)
        if not ended or not results:
            said.seek(0)
            last = [line.strip() for line in said if line.strip()][-1:] or ["it said nothing"]
            raise ConfigurationError(f"the suites broke down: {_hidden(last[0], wanted)}")
    return list(results.values())


def _note(results: dict[tuple[str, str], Result], event: Event, wanted: Wanted) -> None:
    """Take a result in; a test that passed and then broke in its clean-up has failed."""
    name = (event["suite"], event["test"])
    if name in results and results[name].outcome == "failed":
        return
    outcome, seconds = event["outcome"], event["seconds"]
    results[name] = Result(*name, outcome, seconds, _clean(event, wanted))


def _clean(event: Event, wanted: Wanted) -> str:
    return _hidden(event["reason"], wanted)


def _hidden(text: str, wanted: Wanted) -> str:
    """Hide what an adapter of somebody else may have put into the text of its exception."""
    text = text.replace(wanted.url, masked(wanted.url))
    for secret in (*secrets_of(wanted.url), wanted.api_key.reveal() if wanted.api_key else ""):
        text = text.replace(secret, MASK) if len(secret) > 3 else text
    return text


@contextmanager
def _process(wanted: Wanted, said: IO[str]) -> Iterator[IO[str]]:
    """Start pytest and give its lines; it ends when the block does, however that is."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    environ[VARIABLE] = json.dumps(
        {
            "port": wanted.port,
            "url": wanted.url,
            "model": wanted.model,
            "provider": wanted.provider,
            "api_key": wanted.api_key.reveal() if wanted.api_key else "",
        }
    )
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own arguments
        [sys.executable, "-P", "-m", "pytest", *_OPTIONS],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=said,
        env=environ,
        encoding="utf-8",
    )
    try:
        assert process.stdout is not None
        with process.stdout as lines:
            yield lines
        process.wait()
    finally:
        process.kill()
        process.wait()
