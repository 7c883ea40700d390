"""Ctrl-C and the like, in the middle of a call: what came is charged, nothing stays held."""

import contextlib
import signal
import time
from pathlib import Path

import pytest

from tests.infra.cli_runs import Cli

ASK = ("complete", "--account", "acme", "a b c d e f g h i j k l m n o p q r s t u v w x y z")


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 143, "terminated"),
    ],
)
def test_interrupted_stream_is_charged_for_what_came(
    cli: Cli, number: signal.Signals, code: int, said: str
) -> None:
    cli.credit()
    process = cli.start(*ASK, "--stream", "-m", "offline/slow-100")
    assert process.stdout is not None
    assert process.stdout.read(3) == "a b"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "z" not in out
    charge, error = err.splitlines()
    assert "charged 0.0000" in charge
    assert error == f"error: {said}"
    grant, capture = cli.ledger()
    assert grant["kind"] == "grant"
    assert capture["balance_after"]["amount"] in charge
    assert cli.balance()["held"] == "0.00"
    assert cli.balance()["posted"] < "5.00"


def wait_for_hold(cli: Cli) -> None:
    """Wait until the call is under way."""
    deadline = time.monotonic() + 30
    while cli.balance()["held"] == "0.00":
        assert time.monotonic() < deadline, "no hold was placed"


def test_interrupted_completion_costs_nothing(cli: Cli) -> None:
    cli.credit()
    process = cli.start(*ASK, "-m", "offline/slow-2000")
    wait_for_hold(cli)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("", "error: interrupted\n")
    assert process.returncode == 130
    assert cli.balance() == {"posted": "5.00", "held": "0.00", "available": "5.00"}


def processes_in(folder: Path) -> list[Path]:
    """Return the processes whose working directory is *folder*."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            found += [link] if link.readlink() == folder else []
    return found


def test_interrupted_verification_ends_the_suites_too(cli: Cli) -> None:
    process = cli.start("verify", "store", "sqlite:///tollkeeper.db")
    assert process.stderr is not None
    assert "contract-" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    deadline = time.monotonic() + 30
    while processes_in(cli.folder):
        assert time.monotonic() < deadline, "the suites go on"
