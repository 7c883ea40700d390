"""Running the command: as a process of its own, or (cheaper) in this one."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from typer.testing import CliRunner

COMMAND = (sys.executable, "-m", "tollkeeper")
PATIENCE = 60


@frozen
class Ran:
    """How a run ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Read the one JSON document that it printed."""
        return json.loads(self.out)


def clean_environ(**more: str) -> dict[str, str]:
    """Give an environment in which nothing of the developer's own matters."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", **more}


@frozen
class Cli:
    """Runs commands in *folder*."""

    folder: Path

    def process(self, *arguments: str, stdin: str | bytes = b"", **environ: str) -> Ran:
        """Run a command in a process of its own, as people do."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=clean_environ(**environ),
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *arguments: str, **environ: str) -> "subprocess.Popen[str]":
        """Start a command and leave it running; Ctrl-C reaches it even under a shell's job."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=clean_environ(PYTHONUNBUFFERED="1", **environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A test run in the background ignores interrupts, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def here(self, *arguments: str, stdin: str | bytes | None = None, **environ: str) -> Ran:
        """Run a command in this process; what it raises and does not report fails the test."""
        from tollkeeper.infra.cli.app import app

        # pytest-xdist sets COLUMNS, and tables would be folded.
        hidden = {
            name: None
            for name in os.environ
            if name.startswith("TOLLKEEPER_") or name in ("COLUMNS", "LINES")
        }
        with contextlib.chdir(self.folder):
            done = CliRunner().invoke(app, list(arguments), input=stdin, env={**hidden, **environ})
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ran(done.exit_code, done.stdout, done.stderr)

    def ledger(self, account: str = "acme") -> Sequence[Mapping[str, Any]]:
        """Read an account's ledger."""
        entries: Sequence[Mapping[str, Any]] = self.here(
            "ledger", "--account", account, "--json"
        ).json()
        return entries

    def balance(self, account: str = "acme") -> Mapping[str, str]:
        """Read what an account has left: posted, held and available, as texts."""
        (balance,) = self.here("usage", "--account", account, "--json").json()["balances"]
        return {name: money["amount"] for name, money in balance.items()}

    def token(self, account: str = "acme", *scopes: str) -> str:
        """Issue a key."""
        options = [each for scope in scopes or ("chat:complete",) for each in ("--scope", scope)]
        return self.here("keys", "issue", "--account", account, *options).out.strip()

    def credit(self, amount: str = "5.00", account: str = "acme") -> None:
        """Give credit."""
        ran = self.here("credit", "grant", "--account", account, "--amount", amount)
        assert ran.code == 0, ran.err


def without(folder: Path, *packages: str) -> str:
    """Return what PYTHONPATH must be for *packages* to seem not installed."""
    site = folder / "without"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        f"import sys\nsys.modules.update(dict.fromkeys({packages!r}))\n"
    )
    return str(site)


def refused(ran: Ran, code: int, *said: str) -> None:
    """Check that a command ended with *code* and one line of error, which has each of *said*."""
    assert ran.code == code, (ran.out, ran.err)
    (line,) = ran.err.splitlines()
    assert line.startswith("error: ")
    for text in said:
        assert text in line
    assert ran.out == ""
