"""Commands for keys that were found in public: end them, and tell scanners how they look."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from attrs import evolve
from rich.text import Text

from tollkeeper.domain.errors import ConfigurationError, InvalidRequest
from tollkeeper.domain.key_tokens import find_tokens, token_pattern
from tollkeeper.domain.leak_reports import LARGEST_REPORT, LeakOutcome, ReportedLeak
from tollkeeper.infra.cli.documents_keys import of_leak
from tollkeeper.infra.cli.key_options import ACTOR, Json
from tollkeeper.infra.cli.output import print_json, print_table, say, whole
from tollkeeper.infra.cli.progress import counting
from tollkeeper.infra.cli.reading import LARGEST_PROMPT, STDIN, read_bytes
from tollkeeper.infra.cli.session import load_settings, with_tollkeeper

if TYPE_CHECKING:
    from tollkeeper.infra.facade import Tollkeeper
    from tollkeeper.infra.settings import Settings

_BATCH = 100
"""Tokens at a time, so that the bar moves; one report takes 1,000."""
_STYLES = {"revoked": "green", "already_revoked": "green", "unknown": "yellow"}


class _OperatorsWord:
    """Believes what it is told: who may run the command may revoke every key."""

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        """Return."""


def leaked(
    ctx: typer.Context,
    *,
    report: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="A report as GitHub's secret scanning sends it, byte for byte; - is standard "
            "input. Needs --key-id and --signature.",
        ),
    ] = None,
    key_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The report's header Github-Public-Key-Identifier."),
    ] = None,
    signature: Annotated[
        str | None,
        typer.Option(metavar="BASE64", help="The report's header Github-Public-Key-Signature."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Revoke the keys whose tokens stand in the text on standard input, or in a signed report.

    Any text will do: a log, a commit, tokens one a line. No token is printed. A token that was
    rotated out and works no more ends no key.
    """
    if report is None:
        if key_id is not None or signature is not None:
            raise InvalidRequest("--key-id and --signature are of a report: name its --report")
        done = _revoke_found(load_settings(ctx))
    else:
        if key_id is None or signature is None:
            raise InvalidRequest("a report is believed by its --key-id and --signature: give both")
        body = read_bytes(report, what="the report", most=LARGEST_REPORT)
        settings = load_settings(ctx)
        if settings.report_verifier is None:
            raise ConfigurationError(
                "report_verifier: no reporter is believed yet; set it to report-keys:///… with "
                "the reporter's public keys, or pipe the tokens in without --report"
            )
        sent_by, signed = key_id, signature
        done = with_tollkeeper(
            settings, lambda tk: tk.report_leaked_keys(body, key_id=sent_by, signature=signed)
        )
    if as_json:
        print_json([of_leak(leak) for leak in done])
        return
    rows = [
        (
            number,
            Text(str(leak.outcome).replace("_", " "), style=_STYLES[leak.outcome]),
            leak.display or "no key of this store",
            leak.token_hash[:12],
        )
        for number, leak in enumerate(done, 1)
    ]
    columns = whole("#", "outcome", "key", "SHA-256 begins")
    print_table("Tokens that were found", columns, rows, empty="no token was found")
    revoked = sum(leak.outcome is LeakOutcome.REVOKED for leak in done)
    say(f"revoked {revoked} of {len(done)}")


def _revoke_found(settings: "Settings") -> Sequence[ReportedLeak]:
    """Revoke the keys of the tokens in standard input."""
    if sys.stdin is None or sys.stdin.isatty():
        raise InvalidRequest("pipe the text in that the tokens stand in, or name a --report")
    # Tokens are ASCII: whatever else the text is written in does not matter.
    text = read_bytes(STDIN, what="the text", most=LARGEST_PROMPT).decode("utf-8", "replace")
    tokens = list(dict.fromkeys(found.token for found in find_tokens(text)))

    async def work(tk: "Tollkeeper") -> Sequence[ReportedLeak]:
        believing = evolve(tk.report_leaked_keys, report_verifier=_OperatorsWord())
        done: list[ReportedLeak] = []
        with counting("revoking keys", total=len(tokens)) as progress:
            for at in range(0, len(tokens), _BATCH):
                found = [{"token": token, "source": ACTOR} for token in tokens[at : at + _BATCH]]
                done += await believing(json.dumps(found).encode(), key_id="", signature="")
                progress(len(done))
        return done

    return with_tollkeeper(settings, work)


def pattern(
    *,
    prefix: Annotated[
        str | None,
        typer.Option(help="Only tokens that begin so, such as tk_live.", show_default="any"),
    ] = None,
    gitleaks: Annotated[
        bool, typer.Option("--gitleaks", help="Print a rule for gitleaks (TOML).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the regular expression that finds tokens in text, for secret scanners.

    Group 1 is the token. It means the same in Python, PCRE and RE2.
    """
    expression = token_pattern(prefix)
    if as_json:
        print_json({"pattern": expression, "prefix": prefix, "group": 1})
    elif gitleaks:
        say(_rule(expression, prefix))
    else:
        say(expression)


def _rule(expression: str, prefix: str | None) -> str:
    return "\n".join(
        (
            "[[rules]]",
            'id = "tollkeeper-api-key"',
            'description = "An API key of our service, which lets whoever has it call on our '
            "customer's account\"",
            f"regex = '''{expression}'''",
            "secretGroup = 1",
            f'keywords = ["{prefix or ""}_"]',
        )
    )
