"""What the command says when it fails, and the code that it exits with."""

import os
import sys

from tollkeeper.domain.errors import (
    ConfigurationError,
    Conflict,
    DomainError,
    IdempotencyConflict,
    InsufficientCredit,
    NotFound,
    PermissionDenied,
    PortError,
    QuotaExceeded,
    RateLimited,
    TollkeeperError,
    Unauthenticated,
)
from tollkeeper.infra.cli.printable import printable

FAULTS_FOUND = 1
WRONG_USE = 2
REFUSED = 3
NOT_THERE = 4
ADAPTER_FAILED = 5
INTERRUPTED = 130
PIPE_CLOSED = 141
TERMINATED = 143

TABLE = (
    "Exit codes: 0 done · 1 `doctor`, `verify`, `audit verify`, `keys seal`, `secrets rotate` or "
    "`migrate --check` found faults, a question was answered with no, or the output could not be "
    "written · 2 wrong use or settings · 3 refused (key, scope, plan, credit, rate) · 4 not found, "
    "or in conflict · 5 a store or provider failed · 130 interrupted · 141 the reader of the "
    "output left · 143 terminated"
)


def code_of(error: TollkeeperError) -> int:
    """Return the exit code for *error*."""
    match error:
        case (
            Unauthenticated()
            | PermissionDenied()
            | InsufficientCredit()
            | QuotaExceeded()
            | RateLimited()
        ):
            return REFUSED
        case NotFound() | Conflict() | IdempotencyConflict():
            return NOT_THERE
        case PortError():
            return ADAPTER_FAILED
        case DomainError() | ConfigurationError():
            return WRONG_USE
    return FAULTS_FOUND


def lines_of(error: TollkeeperError) -> list[str]:
    """Say what went wrong: one line, or one for each fault of a configuration."""
    if isinstance(error, ConfigurationError):
        return [_one_line(fault) for fault in error.faults]
    text = _one_line(error.public_message)
    if isinstance(error, PortError) and error.retryable:
        wait = error.retry_after
        text += f" (try again{f' in {wait.total_seconds():g} s' if wait else ''})"
    return [text]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def report(error: TollkeeperError) -> int:
    """Write *error* to standard error and return the exit code."""
    for line in lines_of(error):
        say_error(line)
    return code_of(error)


def say_error(line: str) -> None:
    """Write one line to standard error; if nobody reads it, nobody can be told."""
    try:
        print(f"error: {printable(line)}", file=sys.stderr, flush=True)
    except OSError:
        silence()


def silence() -> None:
    """Point both outputs at nothing, so that closing them at the end cannot fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            os.dup2(nowhere, stream.fileno())
        except (OSError, ValueError, AttributeError):
            continue  # closed, or no file at all: nothing to silence
