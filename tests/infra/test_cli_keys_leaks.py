"""`tollkeeper keys leaked` ends what was found in public, and `pattern` tells how it looks."""

import base64
import json
import re
import tomllib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.documents import ROOT
from tests.infra.cli_runs import Cli, Ran, refused
from tollkeeper.domain.key_tokens import encode_kid, encode_token, token_pattern

UNKNOWN = encode_token("tk_local", encode_kid(bytes(10)), bytes(32))


def test_tokens_in_any_text_are_revoked_and_never_printed(cli: Cli) -> None:
    cli.credit()
    first, second, kept = cli.token(), cli.token("other"), cli.token()
    text = f"\xff log: key={first};\n{second}\n{first} {UNKNOWN} tk_local_nothing"
    ran = cli.process("keys", "leaked", stdin=text.encode("latin-1"))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == "revoked 2 of 3"
    assert "no key of this store" in ran.out
    again = cli.here("keys", "leaked", "--json", stdin=f"{second} {UNKNOWN}")
    assert [leak["outcome"] for leak in again.json()] == ["already_revoked", "unknown"]
    for token in (first, second, UNKNOWN):
        assert token not in ran.out + again.out
    refused(cli.here("complete", "hi", TOLLKEEPER_KEY=first), 3, "revoked")
    assert cli.here("complete", "hi", TOLLKEEPER_KEY=kept).code == 0
    actions = [
        entry["action"] for entry in cli.here("audit", "--account", "other", "--json").json()
    ]
    assert actions == ["key.issued", "key.leaked"]


def test_text_without_tokens_is_told(cli: Cli) -> None:
    assert cli.here("keys", "leaked", stdin="nothing").out == "no token was found\nrevoked 0 of 0\n"
    assert cli.here("keys", "leaked", "--json", stdin="").json() == []


class Reporter:
    """Somebody who signs reports, whose public key is in a file of the settings."""

    def __init__(self, cli: Cli) -> None:
        self._cli = cli
        self._key = ec.generate_private_key(ec.SECP256R1())
        pem = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        keys = {"public_keys": [{"key_identifier": "k1", "key": pem.decode(), "is_current": True}]}
        (cli.folder / "reporters.json").write_text(json.dumps(keys))

    def report(self, token: str, *, spoiled: bool = False) -> Ran:
        """Send a report of *token*."""
        body = json.dumps([{"token": token, "type": "tk", "url": "", "source": "commit"}]).encode()
        signed = base64.b64encode(self._key.sign(body, ec.ECDSA(SHA256()))).decode()
        (self._cli.folder / "report.json").write_bytes(body + b" " * spoiled)
        return self._cli.here(
            *("keys", "leaked", "--report", "report.json", "--json"),
            *("--key-id", "k1", "--signature", signed),
            TOLLKEEPER_REPORT_VERIFIER=f"report-keys://{self._cli.folder}/reporters.json",
        )


def test_signed_report_is_acted_on_and_no_other(cli: Cli) -> None:
    reporter, token = Reporter(cli), cli.token()
    refused(reporter.report(token, spoiled=True), 3, "not signed")
    (leak,) = reporter.report(token).json()
    assert (leak["outcome"], leak["type"]) == ("revoked", "tk")
    (leak,) = reporter.report(token).json()
    assert leak["outcome"] == "already_revoked"


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--key-id", "k1"), 2, "--report"),
        (("--signature", "x"), 2, "--report"),
        (("--report", "report.json"), 2, "give both"),
        (("--report", "nosuch", "--key-id", "k1", "--signature", "x"), 2, "cannot read"),
        (("--report", "-", "--key-id", "k1", "--signature", "x"), 2, "report_verifier"),
    ],
)
def test_incomplete_report_is_refused(
    cli: Cli, options: tuple[str, ...], code: int, said: str
) -> None:
    refused(cli.here("keys", "leaked", *options, stdin="[]"), code, said)


def test_pattern_finds_a_token(cli: Cli) -> None:
    token = cli.token()
    pattern = cli.here("keys", "pattern").out.strip()
    found = re.search(pattern, f"key={token};")
    assert found is not None
    assert found[1] == token
    document = cli.here("keys", "pattern", "--prefix", "tk_live", "--json").json()
    assert document == {"pattern": token_pattern("tk_live"), "prefix": "tk_live", "group": 1}
    assert re.search(document["pattern"], token) is None
    refused(cli.here("keys", "pattern", "--prefix", "TK"), 2, "brand_environment")


def test_rule_for_gitleaks_is_toml_with_the_same_pattern(cli: Cli) -> None:
    for more, prefix in ((), None), (("--prefix", "tk_live"), "tk_live"):
        (rule,) = tomllib.loads(cli.here("keys", "pattern", "--gitleaks", *more).out)["rules"]
        assert rule["regex"] == token_pattern(prefix)
        assert rule["secretGroup"] == 1
    shown = cli.here("keys", "pattern", "--gitleaks", "--prefix", "tk_live").out
    assert shown in (ROOT / "docs" / "api-keys.md").read_text("utf-8")
