"""Running a port's contract suites against a live adapter, before an environment is given it."""

import os
import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer
from attrs import asdict
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.cli import exits
from tollkeeper.infra.cli.masking import masked
from tollkeeper.infra.cli.output import (
    console,
    left,
    note,
    print_json,
    print_table,
    right,
    say,
)
from tollkeeper.infra.cli.reading import STDIN, read_text
from tollkeeper.infra.cli.session import execute
from tollkeeper.infra.cli.suite_run import Event, Result, Wanted, require_kit, run_suites

PARTS_OF_A_STORE = (
    *("ledger", "key_store", "usage_log", "plan_store", "audit_log"),
    *("attempt_log", "outbox", "quota_counter", "data_key_store", "credential_store"),
)
PORTS = (
    *("store", *PARTS_OF_A_STORE),
    *("rate_limiter", "cache", "lock", "event_log", "broadcast"),
    *("telemetry", "chat_model", "embedder", "transcriber"),
    *("token_counter", "schema_validator", "cipher"),
)
_WITH_MODELS = ("chat_model", "embedder", "transcriber", "token_counter")
_USUAL_MODELS = {
    ("chat_model", "offline"): "echo",
    ("embedder", "offline"): "hash",
    ("transcriber", "pocketsphinx"): "en-us",
    ("token_counter", "bpe-openai"): "openai/gpt-4o",
}
_WRITES = dict.fromkeys(
    ("store", *PARTS_OF_A_STORE),
    "what is written there is under accounts named contract-…, at times in the year 2001",
) | {
    "rate_limiter": "what is counted there is in buckets named contract-…",
    "cache": "what is kept there is under keys named contract-…",
    "lock": "what is locked there are locks named contract-…",
    "event_log": "what is appended there is in logs named contract-…",
    "broadcast": "what is told there is on topics named contract-…",
    "telemetry": "the spans that it is sent are the suites' own",
    "chat_model": "it is sent some sixty small calls, which its provider may bill",
    "embedder": "it is sent some sixty small calls, which its provider may bill",
    "transcriber": "it is sent some twenty short recordings, which its provider may bill",
    "token_counter": "nothing is written, and nothing leaves this process",
    "cipher": "nothing is written, and nothing leaves this process",
    "schema_validator": "nothing is written, and nothing leaves this process",
}
_NEVER_LIVE = {
    "secret_source": "a secret source cannot be verified live, since its suite puts secrets there",
    "token_verifier": "a token verifier cannot be verified live, since its suite signs tokens",
    "report_verifier": "a report verifier cannot be verified live, since its suite signs reports",
    "key_encryption": (
        "key-encryption keys cannot be verified live, since their suite rotates and disables some"
    ),
    "tables": "tables cannot be verified live, since their suite needs some that it may empty",
}
_LONGEST_NAME = 90
_STYLES = {"passed": "green", "failed": "red", "skipped": "yellow"}


def _wanted(port: str, url: str, model: str | None, provider: str | None) -> Wanted:
    """Check the arguments.

    Raises:
        InvalidRequest: there is no such port or adapter, or the model is missing.
    """
    from tollkeeper.infra.registry import fault_of, scheme_of

    if port in _NEVER_LIVE:
        raise InvalidRequest(
            f"{_NEVER_LIVE[port]}: run tollkeeper.contracts.{port} in your own tests; `tollkeeper "
            "doctor` checks what is configured"
        )
    if port not in PORTS:
        raise InvalidRequest(f"no port is called {port}; there are {', '.join(PORTS)}")
    fault = fault_of("store" if port in PARTS_OF_A_STORE else port, url)
    if fault is not None:
        raise InvalidRequest(fault)
    family = scheme_of(url).partition("+")[0]
    model = model or _USUAL_MODELS.get((port, family), "")
    if port in _WITH_MODELS and not model:
        raise InvalidRequest(f"name a model of the provider with --model to verify a {port}")
    provider = provider or family
    api_key = os.environ.get(f"TOLLKEEPER_API_KEYS__{provider.upper()}")
    return Wanted(port, url, model, Secret(api_key) if api_key else None, provider)


async def _try(wanted: Wanted) -> None:
    """Open the adapter once: where that fails, a hundred failed tests would say no more."""
    from tollkeeper.infra.cli.checks import Part, ask
    from tollkeeper.infra.lazy import Lazy
    from tollkeeper.infra.registry import CONTEXT, make_adapter

    port = "store" if wanted.port in PARTS_OF_A_STORE else wanted.port
    known: dict[str, object] = {
        "clock": Lazy("tollkeeper.adapters.system.clock:SystemClock")(),
        "identifiers": Lazy("tollkeeper.adapters.system.identifiers:SystemIdentifiers")(),
        "api_key": wanted.api_key,
        "provider": wanted.provider,
    }
    context = {name: known[name] for name in CONTEXT[port]}
    await ask(Part(port, wanted.url, lambda: make_adapter(port, wanted.url, **context)))


def _run(wanted: Wanted) -> list[Result]:
    """Run the suites, with a bar for whoever watches."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    screen = console(stderr=True)
    with Progress(
        *columns, console=screen, transient=True, disable=not screen.is_terminal
    ) as progress:
        bar = progress.add_task("starting", total=None)

        def hear(event: Event) -> None:
            if event["event"] == "begin":
                progress.update(bar, total=event["tests"])
            elif event["event"] == "start":
                progress.update(bar, description=event["test"][:50].ljust(50))
            elif event["event"] == "test":
                progress.advance(bar)

        return run_suites(wanted, hear=hear)


def verify(
    port: Annotated[str, typer.Argument(metavar="PORT", help=f"One of {', '.join(PORTS)}.")],
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The adapter, as settings name it; - reads stdin.")
    ],
    *,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Which of the provider's models to call.")
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            help="What the provider is called; TOLLKEEPER_API_KEYS__<PROVIDER> is its credential.",
            show_default="as the URL begins: openai",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a port's contract suites against a live adapter, and show each test's result.

    To be run before an environment is given another adapter. The suites are safe on a live
    store: they write under accounts named contract-…, at times in the year 2001, and nothing
    else. On a chat model or an embedder they make some sixty small calls. A secret source and
    tables are not verified live. Exits with 1 if a test fails.
    """
    require_kit()
    wanted = _wanted(
        port, read_text(STDIN, what="the URL").strip() if url == STDIN else url, model, provider
    )
    with redirect_stdout(sys.stderr):  # adapters of others may print; JSON must stay JSON
        execute(lambda: _try(wanted))
    shown = masked(wanted.url)
    note(f"verifying the {port} at {shown}; {_WRITES[port]}")
    results = _run(wanted)
    count = {kind: sum(r.outcome == kind for r in results) for kind in _STYLES}
    if as_json:
        print_json(_document(wanted, results, count))
    else:
        _print(f"{port} at {shown}", results)
        say(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} not run")
    if count["failed"]:
        raise typer.Exit(exits.FAULTS_FOUND)


def _print(title: str, results: list[Result]) -> None:
    columns = [*left("suite", "test", "result"), *right("seconds"), *left("why")]
    rows = [
        (
            result.suite.removeprefix("Test"),
            _shortened(result.test.removeprefix("test_").replace("_", " ")),
            Text(result.outcome, style=_STYLES[result.outcome]),
            f"{result.seconds:.2f}",
            result.reason,
        )
        for result in results
    ]
    print_table(title, columns, rows, empty="no test ran")


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


def _document(wanted: Wanted, results: list[Result], count: dict[str, int]) -> dict[str, object]:
    return {
        "port": wanted.port,
        "adapter": masked(wanted.url),
        "ok": not count["failed"],
        **count,
        "writes": _WRITES[wanted.port],
        "tests": [asdict(result) for result in results],
    }
