"""Signed reports of leaked keys: real key pairs, and what GitHub has published and signed."""

import json
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tollkeeper.adapters.cryptography.report_verifier import (
    LARGEST_FILE,
    CryptographyReportVerifier,
)
from tollkeeper.contracts.report_verifier import BODY, ReportVerifierContract, Sign
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    Unauthenticated,
    Unavailable,
)

pytestmark = pytest.mark.anyio

# The keys, the bodies and the signatures of GitHub's own documentation of its partner programme.
GITHUB = [
    (
        "f9525bf080f75b3506ca1ead061add62b8633a346606dc5fe544e29231c6ee0d",
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsz9ugWDj5jK5ELBK42ynytbo38gP\n"
        "HzZFI03Exwz8Lh/tCfL3YxwMdLjB+bMznsanlhK0RwcGP3IDb34kQDIo3Q==",
        b'[{"token":"some_token","type":"some_type","url":"some_url","source":"some_source"}]',
        "MEUCIFLZzeK++IhS+y276SRk2Pe5LfDrfvTXu6iwKKcFGCrvAiEAhHN2kDOhy2I6eGkOFmxNkOJ+L2y8oQ9A2T9G"
        "GJo6WJY=",
    ),
    (
        "bcb53661c06b4728e59d897fb6165d5c9cda0fd9cdf9d09ead458168deb7518c",
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYAGMWO8XgCamYKMJS6jc/qgvSlAd\n"
        "AjPuDPRcXU22YxgBrz+zoN19MzuRyW87qEt9/AmtoNP5GrobzUvQSyJFVw==",
        b'[{"source":"commit","token":"some_token","type":"some_type",'
        b'"url":"https://example.com/base-repo-url/"}]',
        "MEQCIQDaMKqrGnE27S0kgMrEK0eYBmyG0LeZismAEz/BgZyt7AIfXt9fErtRS4XaeSt/AO1RtBY66YcAdjxji410"
        "VQV4xg==",
    ),
]


def pem(key: PublicKeyTypes) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def publish(file: Path, keys: Mapping[str, str], *, age: float = 0) -> None:
    """Write *keys* as GitHub publishes them, into a file that was changed *age* seconds ago."""
    listed = [
        {"key_identifier": name, "key": key, "is_current": True} for name, key in keys.items()
    ]
    file.write_text(json.dumps({"public_keys": listed}))
    at = time.time() - age
    os.utime(file, (at, at))


def put(file: Path, content: bytes | Literal["folder"] | None) -> None:
    """Put *content*, a folder or nothing in the place of *file*."""
    file.unlink(missing_ok=True)
    if content == "folder":
        file.mkdir()
    elif content is not None:
        file.write_bytes(content)


def signed(key: ec.EllipticCurvePrivateKey, body: bytes = BODY) -> str:
    return b64encode(key.sign(body, ec.ECDSA(SHA256()))).decode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def verifier(file: Path) -> CryptographyReportVerifier:
    return CryptographyReportVerifier.from_url(f"report-keys://{file}")


class TestCryptographyReportVerifier(ReportVerifierContract):
    """The contract, with a key pair of P-256."""

    @pytest.fixture
    def key(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    @pytest.fixture
    def sign(self, key: ec.EllipticCurvePrivateKey) -> Sign:
        return lambda body: ("key-1", signed(key, body))

    @pytest.fixture
    def report_verifier(
        self, key: ec.EllipticCurvePrivateKey, file: Path
    ) -> CryptographyReportVerifier:
        publish(file, {"key-1": pem(key.public_key())}, age=60)
        return CryptographyReportVerifier(file)


@pytest.mark.parametrize("vector", GITHUB, ids=lambda vector: vector[0][:8])
async def test_what_github_signed_is_authentic(
    verifier: CryptographyReportVerifier, file: Path, vector: tuple[str, str, bytes, str]
) -> None:
    """A signed vector is accepted, and each tampering refused (T26)."""
    key_id, key, body, signature = vector
    wrapped = f"-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n"
    publish(file, {"another": pem(ec.generate_private_key(ec.SECP256R1()).public_key())})
    await _refused(verifier, body, key_id, signature)
    publish(file, {key_id: wrapped})
    await verifier.verify(body, key_id=key_id, signature=signature)
    for at in range(0, len(body), 7):
        tampered = bytes([*body[:at], body[at] ^ 32, *body[at + 1 :]])
        await _refused(verifier, tampered, key_id, signature)
    for at in range(len(b64decode(signature))):
        made = bytearray(b64decode(signature))
        made[at] ^= 0x80
        await _refused(verifier, body, key_id, b64encode(made).decode())


async def _refused(
    verifier: CryptographyReportVerifier, body: bytes, key_id: str, signature: str
) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await verifier.verify(body, key_id=key_id, signature=signature)
    assert refused.value.code == "report_not_authentic"


async def test_a_key_signs_under_its_own_name_only(
    verifier: CryptographyReportVerifier, file: Path
) -> None:
    one, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    publish(file, {"one": pem(one.public_key()), "other": pem(other.public_key())})
    await verifier.verify(BODY, key_id="one", signature=signed(one))
    await verifier.verify(BODY, key_id="other", signature=signed(other))
    await _refused(verifier, BODY, "other", signed(one))


async def test_keys_of_other_kinds_are_refused_and_the_rest_are_of_use(
    verifier: CryptographyReportVerifier, file: Path
) -> None:
    good, wrong = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
    others = {
        "p384": pem(wrong.public_key()),
        "k1": pem(ec.generate_private_key(ec.SECP256K1()).public_key()),
        "rsa": pem(rsa.generate_private_key(65537, 2048).public_key()),
        "ed25519": pem(ed25519.Ed25519PrivateKey.generate().public_key()),
        "none": "-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----",
        "": "",
    }
    publish(file, {**others, "good": pem(good.public_key())})
    await verifier.verify(BODY, key_id="good", signature=signed(good))
    for name in others:
        for key in (good, wrong):
            with pytest.raises(CorruptResponse) as refused:
                await verifier.verify(BODY, key_id=name, signature=signed(key))
            assert refused.value.code == "report_keys_corrupt"
    assert await verifier.health() == "1 of 7 keys usable"


@pytest.mark.parametrize("age", [0, 60], ids=["just changed", "changed a while ago"])
async def test_a_list_that_is_replaced_counts_at_once(
    verifier: CryptographyReportVerifier, file: Path, age: float
) -> None:
    old, new = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    publish(file, {"key": pem(old.public_key())}, age=age)
    for _ in range(2):
        await verifier.verify(BODY, key_id="key", signature=signed(old))
    publish(file, {"key": pem(new.public_key())}, age=age / 2)
    await verifier.verify(BODY, key_id="key", signature=signed(new))
    await _refused(verifier, BODY, "key", signed(old))


async def test_a_list_that_is_gone_is_an_outage(
    verifier: CryptographyReportVerifier, file: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    publish(file, {"key": pem(key.public_key())}, age=60)
    await verifier.verify(BODY, key_id="key", signature=signed(key))
    put(file, None)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await verifier.verify(BODY, key_id="key", signature=signed(key))
        with pytest.raises(Unavailable):
            await verifier.health()
    put(file, "folder")
    with pytest.raises(Unavailable):
        await verifier.verify(BODY, key_id="key", signature=signed(key))


@pytest.mark.parametrize(
    "content",
    ["", "nonsense", "[]", "{}", '{"public_keys":{}}', '{"public_keys":[5]}', "[" * 50_000,
     '{"public_keys":[{"key_identifier":"a"}]}', '{"public_keys":[{"key_identifier":5,"key":""}]}',
     b"\xff", b'{"public_keys":[]}' + b" " * LARGEST_FILE, "9" * 5000,
     json.dumps({"public_keys": [{"key_identifier": "a", "key": ""}] * 101})],
    ids=lambda content: ascii(content)[:40],
)  # fmt: skip
async def test_a_file_that_is_no_list_says_so(
    verifier: CryptographyReportVerifier, file: Path, content: str | bytes
) -> None:
    put(file, content.encode() if isinstance(content, str) else content)
    for _ in range(2):
        with pytest.raises(CorruptResponse) as refused:
            await verifier.verify(BODY, key_id="a", signature="MEQC")
        assert refused.value.code == "report_keys_corrupt"
        assert "fetch it again" in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["", "report-keys:", "report-keys://", "report-keys:///", "report-keys:///a/", "file:///a",
     "report-keys://host/a", "report-keys:///a?b", "report-keys:///a#b", "report-keys:///%0a",
     "report-keys:a.json", "report-keys://["],
)  # fmt: skip
def test_a_url_that_names_no_file_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="report-keys:///absolute"):
        CryptographyReportVerifier.from_url(url)
