"""What a verifier is made of is checked before the first token comes."""

import traceback
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.servers.jwks_server import signed, signing_key
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.pyjwt.addresses import KEY_PAIRS, address_of
from tollkeeper.adapters.pyjwt.token_verifier import PyjwtTokenVerifier
from tollkeeper.contracts.token_verifier import AUDIENCE, ISSUER, claims_at
from tollkeeper.domain.errors import ConfigurationError, Unauthenticated
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.user_tokens import TokenTerms

OPTIONS = f"?issuer={ISSUER}&audience={AUDIENCE}"
JWKS = f"jwks+https://issuer.example/jwks.json{OPTIONS}"
SHARED = "0123456789abcdef" * 2


def made(url: str, secret: Secret | None = None) -> PyjwtTokenVerifier:
    return PyjwtTokenVerifier.from_url(url, clock=MemoryClock(), secret=secret)


def test_a_url_says_whose_tokens_for_whom_and_by_which_keys() -> None:
    address = address_of(JWKS)
    assert (address.kind, address.place) == ("jwks", "https://issuer.example/jwks.json")
    assert address.terms == TokenTerms(ISSUER, AUDIENCE, timedelta(seconds=10))
    assert address.algorithms == KEY_PAIRS
    address = address_of(f"{JWKS}&algorithms=ES256,RS256&leeway=60s")
    assert address.algorithms == ("ES256", "RS256")
    assert address.terms.leeway == timedelta(seconds=60)
    assert address_of(f"jwt+pem:///etc/a%20key.pem{OPTIONS}").place == "/etc/a key.pem"
    assert address_of(f"jwt+hs256://{OPTIONS}").algorithms == ("HS256",)
    for host in ("127.0.0.1:8000", "localhost", "[::1]:1"):
        address_of(f"jwks+http://{host}/jwks.json{OPTIONS}")


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://issuer.example/jwks.json", "must read like"),
        ("jwks+https:issuer.example", "must read like"),
        ("jwt+none://x", "must read like"),
        ("jwks+https://issuer.example/jwks.json", "issuer is missing"),
        (f"jwks+https://h/?issuer={ISSUER}", "audience is missing"),
        (f"jwks+https://h/?issuer=&audience={AUDIENCE}", "issuer is missing"),
        (f"{JWKS}&audience=other", "audience is there twice"),
        (f"{JWKS}&verify=no", "no option 'verify'"),
        (f"{JWKS}&leeway=61s", "leeway"),
        (f"{JWKS}&leeway=-1s", "leeway"),
        (f"{JWKS}&leeway=1h", "leeway"),
        (f"{JWKS}&algorithms=HS256", "algorithms"),
        (f"{JWKS}&algorithms=none", "algorithms"),
        (f"{JWKS}&algorithms=ES256,none", "algorithms"),
        (f"{JWKS}&algorithms=", "algorithms"),
        (f"jwt+hs256://{OPTIONS}&algorithms=RS256", "algorithms"),
        (f"jwt+hs256://host{OPTIONS}", "names no place"),
        (f"jwks+https://{OPTIONS}", "names no key set"),
        (f"jwks+https://user:password@h/{OPTIONS}", "names no key set"),
        (f"jwks+https://h:99999/{OPTIONS}", "names no key set"),
        (f"jwks+https://h/#x{OPTIONS}", "names no key set"),
        (f"jwks+http://issuer.example/jwks.json{OPTIONS}", "keys of their own"),
        (f"jwks+http://127.0.0.1.example/{OPTIONS}", "keys of their own"),
        (f"jwks+http://10.0.0.1/{OPTIONS}", "keys of their own"),
        (f"jwt+pem://key.pem{OPTIONS}", "absolute name"),
    ],
)
def test_a_url_that_reads_otherwise_is_refused(url: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault) as refused:
        made(url, Secret(SHARED) if url.startswith("jwt+hs256") else None)
    assert "password" not in str(refused.value)


def test_all_faults_are_listed_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        made("jwks+http://issuer.example/?leeway=9h&algorithms=none&x=1")
    assert len(refused.value.faults) == 6


@pytest.mark.parametrize(
    "text",
    [
        *("", "short", "x" * 31, "ab" * 40, "\ud83d" * 40),
        signing_key("ES256").pem.decode(),
        '{"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0"}',
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_a_weak_secret_or_a_public_key_in_its_place_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        made(f"jwt+hs256://{OPTIONS}", Secret(text))
    assert refused.value.code == ("weak_token_secret" if text else "token_secret_missing")
    told = traceback.TracebackException(
        refused.type, refused.value, refused.tb.tb_next, capture_locals=True
    )
    assert not text or text not in "".join(told.format())


def test_a_secret_is_needed_for_hs256_and_taken_for_nothing_else() -> None:
    with pytest.raises(ConfigurationError, match="token_secret is missing"):
        made(f"jwt+hs256://{OPTIONS}")
    for url in (JWKS, f"jwt+pem:///etc/key.pem{OPTIONS}"):
        with pytest.raises(ConfigurationError, match="alone"):
            made(url, Secret(SHARED))


def test_nothing_shows_the_secret_or_where_the_keys_are() -> None:
    verifier = made(f"jwt+hs256://{OPTIONS}", Secret(SHARED))
    assert repr(verifier) == f"PyjwtTokenVerifier({ISSUER!r})"


@pytest.mark.anyio
@pytest.mark.parametrize("algorithm", KEY_PAIRS)
async def test_a_file_may_hold_a_key_of_each_kind(tmp_path: Path, algorithm: str) -> None:
    key = signing_key(algorithm)
    file = tmp_path / "key.pem"
    file.write_bytes(b"\n" + key.pem)
    verifier = made(f"jwt+pem://{file}{OPTIONS}")
    claims = claims_at(MemoryClock().now())
    await verifier.verify(Secret(key.sign(claims, kid="whatever")))  # it need not be opened first
    assert f"one key for {algorithm}" in await verifier.health()
    with pytest.raises(Unauthenticated):
        await verifier.verify(Secret(signed(claims, "HS256", key.pem, {})))
    others = ",".join(each for each in KEY_PAIRS if each != algorithm)
    with pytest.raises(ConfigurationError, match="no public key"):
        await made(f"jwt+pem://{file}{OPTIONS}&algorithms={others}").__aenter__()


@pytest.mark.anyio
async def test_a_file_without_a_public_key_stops_the_start(tmp_path: Path) -> None:
    private = signing_key("ES256").private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    file = tmp_path / "key.pem"
    texts = (
        *(private, b"", b"\xff" * 100, signing_key("ES384").pem, b"x" * 70_000),
        signing_key("RS256", "short", bits=1024).pem,
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    )
    for text in texts:
        file.write_bytes(text)
        with pytest.raises(ConfigurationError, match="no public key") as refused:
            await made(f"jwt+pem://{file}{OPTIONS}").__aenter__()
        told = traceback.TracebackException(
            refused.type, refused.value, refused.tb.tb_next, capture_locals=True
        )
        assert private[60:100].decode() not in "".join(told.format())
    file.unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        await made(f"jwt+pem://{file}{OPTIONS}").__aenter__()
