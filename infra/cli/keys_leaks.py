"""Commands for keys that were found in public: end them, and tell scanners how they look."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from tollkeeper.application.report_leaked_keys import ReportLeakedKeys
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.errors import ConfigurationError, InvalidRequest, Unauthenticated
from tollkeeper.domain.key_tokens import find_tokens, token_pattern
from tollkeeper.domain.leak_reports import LARGEST_REPORT, MOST_REPORTS, LeakOutcome, ReportedLeak
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.cli.documents_keys import of_leak
from tollkeeper.infra.cli.key_options import Json
from tollkeeper.infra.cli.output import print_json, print_table, say, whole
from tollkeeper.infra.cli.progress import counting
from tollkeeper.infra.cli.reading import LARGEST_PROMPT, STDIN, read_bytes
from tollkeeper.infra.cli.session import execute, load_settings, opened_container

if TYPE_CHECKING:
    from tollkeeper.infra.settings import Settings
    from tollkeeper.ports.report_verifier import ReportVerifier

_STYLES = {"revoked": "green", "already_revoked": "green", "unknown": "yellow"}


class _OperatorsWord:
    """Believes what it is told: who may run the command may revoke every key."""

    async def verify(self, body: bytes, *, key_id: str, signature: str) -> None:
        """Return."""


class _StoredKeys:
    """The keys of an open container, as far as leaks go."""

    def __init__(self, container: Any) -> None:
        self._reads = container.key_reads()
        self._revoke = container.revoke_key()

    async def prove(self, token: Secret) -> ApiKey | None:
        """Return the key whose secret *token* is; None if there is none."""
        try:
            key: ApiKey | None = await self._reads.prove(token)
        except Unauthenticated:  # of another environment or brand, or no token at all
            return None
        return key

    async def revoke_leaked(self, key: ApiKey, *, source: str, url: str) -> bool:
        """End *key*; whether this call ended it."""
        await self._revoke.leaked(key, source=source, url=url)
        return key.revoked_at is None


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
        done = _revoke_reported(load_settings(ctx), body, key_id, signature)
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
    batches = [tokens[at : at + MOST_REPORTS] for at in range(0, len(tokens), MOST_REPORTS)]
    bodies = [
        json.dumps([{"token": token, "source": "command line"} for token in batch]).encode()
        for batch in batches
    ]
    return _revoke(settings, bodies, _OperatorsWord(), key_id="", signature="")


def _revoke_reported(
    settings: "Settings", body: bytes, key_id: str, signature: str
) -> Sequence[ReportedLeak]:
    """Revoke the keys that a signed report names."""
    from tollkeeper.infra.registry import make_adapter

    if settings.report_verifier is None:
        raise ConfigurationError(
            "report_verifier: no reporter is believed yet; set TOLLKEEPER_REPORT_VERIFIER to "
            "report-keys:///… with the reporter's public keys, or pipe the tokens in without "
            "--report"
        )
    verifier = make_adapter("report_verifier", settings.report_verifier)
    return _revoke(settings, [body], verifier, key_id=key_id, signature=signature)


def _revoke(
    settings: "Settings",
    bodies: Sequence[bytes],
    verifier: "ReportVerifier",
    *,
    key_id: str,
    signature: str,
) -> Sequence[ReportedLeak]:
    async def work() -> Sequence[ReportedLeak]:
        done: list[ReportedLeak] = []
        async with opened_container(settings) as container:
            act = ReportLeakedKeys(verifier, _StoredKeys(container), container.clock())
            with counting("revoking keys") as progress:
                for body in bodies:
                    done += await act(body, key_id=key_id, signature=signature)
                    progress(len(done))
        return done

    return execute(work)


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
    keyword = "_" if prefix is None else f"{prefix}_"
    return "\n".join(
        (
            "[[rules]]",
            f'id = "{(prefix or "tollkeeper").replace("_", "-")}-api-key"',
            'description = "API key issued by Tollkeeper"',
            f"regex = '''{expression}'''",
            "secretGroup = 1",
            f'keywords = ["{keyword}"]',
        )
    )
