"""Nothing that a token says of itself is believed, and no key does what it is not for."""

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import jwt
import pytest

from tests.servers.jwks_server import (
    JwksServer,
    SigningKey,
    jwks_server,
    signed,
    signed_parts,
    signing_key,
)
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.pyjwt.keys import published_key
from tollkeeper.adapters.pyjwt.token_verifier import PyjwtTokenVerifier
from tollkeeper.contracts.token_verifier import AUDIENCE, ISSUER, claims_at
from tollkeeper.domain.errors import Unauthenticated
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio
OPTIONS = f"?issuer={ISSUER}&audience={AUDIENCE}"
ALGORITHMS = ("ES256", "RS256", "EdDSA")
EC, ED = signing_key("ES256", "ES256"), signing_key("EdDSA", "EdDSA")
STRANGER = signing_key("ES256", "stranger")
HEAD = {"alg": "ES256", "typ": "JWT", "kid": "ES256"}


def three() -> list[SigningKey]:
    """Make a key for each algorithm; one of RSA takes a while."""
    return [signing_key(algorithm, algorithm) for algorithm in ALGORITHMS]


@pytest.fixture(scope="module")
def shared_server() -> Iterator[JwksServer]:
    with jwks_server() as server:
        yield server


@pytest.fixture
def server(shared_server: JwksServer) -> JwksServer:
    shared_server.keys, shared_server.play = three(), None
    shared_server.requests.clear()
    return shared_server


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
async def verifier(server: JwksServer, clock: MemoryClock) -> AsyncIterator[PyjwtTokenVerifier]:
    async with PyjwtTokenVerifier.from_url(server.url + OPTIONS, clock=clock) as verifier:
        yield verifier


async def refuses(verifier: PyjwtTokenVerifier, token: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await verifier.verify(Secret(token))
    assert refused.value.code == "token_invalid"


@pytest.mark.parametrize(
    "headers",
    [
        {"jwk": STRANGER.jwk},
        {"jku": "https://stranger.example/jwks.json"},
        {"x5u": "https://stranger.example/cert.pem"},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"b64": True},
        {"zip": "DEF"},
        {"typ": "logout+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": 7},
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"alg": "ES384"},
        {"alg": "es256"},
        {"alg": ["ES256"]},
        {"alg": None},
        {"kid": "unknown"},
        {"kid": ""},
        {"kid": 7},
        {"kid": ["ES256"]},
        {"kid": "../../dev/null"},
        {"kid": "x" * 256},
        {"kid": "' OR 1=1 --"},
    ],
    ids=lambda headers: ascii(headers)[:30],
)
async def test_a_header_that_would_choose_the_key_or_the_way_is_refused(
    verifier: PyjwtTokenVerifier, clock: MemoryClock, headers: dict[str, Any]
) -> None:
    for key in (EC, STRANGER):
        name = {"kid": EC.name, **headers}
        await refuses(verifier, signed(claims_at(clock.now()), "ES256", key.private, name))


@pytest.mark.parametrize("name", [None, "its own"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_public_key_is_no_shared_secret(
    server: JwksServer, clock: MemoryClock, algorithm: str, name: str | None
) -> None:
    key = signing_key(algorithm, algorithm)
    server.keys = [key]
    async with PyjwtTokenVerifier.from_url(server.url + OPTIONS, clock=clock) as verifier:
        raw = base64.urlsafe_b64decode((key.jwk.get("x") or key.jwk["n"]) + "==")
        for secret in (key.pem, key.pem.strip(), json.dumps(key.jwk).encode(), raw, b"\0"):
            for alg in ("HS256", key.algorithm):
                headers = {"kid": name and key.name, "alg": alg}
                await refuses(verifier, signed(claims_at(clock.now()), "HS256", secret, headers))
        await verifier.verify(Secret(key.sign(claims_at(clock.now()))))


async def test_a_genuine_signature_counts_under_its_own_key_alone(
    verifier: PyjwtTokenVerifier, clock: MemoryClock
) -> None:
    claims = claims_at(clock.now())
    for key in three():
        await verifier.verify(Secret(key.sign(claims)))
        for other in three():
            if other is not key:
                await refuses(verifier, key.sign(claims, kid=other.name))
                await refuses(verifier, key.sign(claims, kid=other.name, alg=other.algorithm))


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b'{"alg":"none","alg":"ES256","kid":"ES256"}', None),
        (b'{"alg":"ES256","kid":"x","kid":"ES256"}', None),
        (b'{"alg":"ES256","kid":"ES256"', None),
        (b'["ES256"]', None),
        (b'{"alg":"ES256","kid":"ES256","x":NaN}', None),
        ('{"alg":"ES256","kid":"ES256"}'.encode("utf-16"), None),
        (b'\xef\xbb\xbf{"alg":"ES256","kid":"ES256"}', None),
        (b'{"alg":"ES256","kid":"ES256","x":' + b"[" * 3000 + b"]" * 3000 + b"}", None),
        (None, b'{"sub":"me","sub":"you",'),
        (None, b'{"app_metadata":{"a":1,"a":2},'),
        (None, b'{"x":' + b"[" * 3000 + b"]" * 3000 + b","),
        (None, b'{"x":Infinity,'),
        (None, b'{"x":' + b"9" * 5000 + b","),
        (None, b'{"x":"\xff",'),
    ],
    ids=lambda part: ascii(part)[:40],
)
async def test_json_that_two_readers_may_read_in_two_ways_is_refused(
    verifier: PyjwtTokenVerifier, clock: MemoryClock, head: bytes | None, body: bytes | None
) -> None:
    claims = json.dumps(claims_at(clock.now())).encode()
    good_head = json.dumps(HEAD).encode()
    await verifier.verify(Secret(signed_parts(good_head, claims, "ES256", EC.private)))
    told = claims if body is None else body + claims[1:]
    await refuses(verifier, signed_parts(head or good_head, told, "ES256", EC.private))


@pytest.mark.parametrize("claims", [b"", b"[]", b"null", b'"text"', b"1", b"{"])
async def test_claims_that_are_no_object_are_refused(
    verifier: PyjwtTokenVerifier, claims: bytes
) -> None:
    await refuses(verifier, signed_parts(json.dumps(HEAD).encode(), claims, "ES256", EC.private))


async def test_the_longest_token_passes_and_a_longer_one_is_not_looked_at(
    verifier: PyjwtTokenVerifier, server: JwksServer, clock: MemoryClock
) -> None:
    def padded(size: int) -> str:
        return EC.sign(claims_at(clock.now(), pad="x" * size))

    size = next(n for n in range(11_000, 13_000) if len(padded(n + 1)) > 16_384)
    await refuses(verifier, padded(size + 3))
    assert server.requests == []
    await verifier.verify(Secret(padded(size)))


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt", None])
async def test_the_types_of_access_tokens_pass(
    verifier: PyjwtTokenVerifier, clock: MemoryClock, kind: str | None
) -> None:
    await verifier.verify(Secret(EC.sign(claims_at(clock.now()), typ=kind, x5t="harmless")))


async def test_a_token_without_a_name_is_meant_for_the_only_key(
    verifier: PyjwtTokenVerifier, server: JwksServer, clock: MemoryClock
) -> None:
    nameless = Secret(EC.sign(claims_at(clock.now()), kid=None))
    await verifier.verify(nameless)
    server.keys = [EC, signing_key("ES256", "second")]
    async with PyjwtTokenVerifier.from_url(server.url + OPTIONS, clock=clock) as other:
        await refuses(other, nameless.reveal())  # none of two is tried


async def test_two_keys_of_one_name_are_none(server: JwksServer, clock: MemoryClock) -> None:
    server.serves(EC.jwk, {**STRANGER.jwk, "kid": EC.name})
    async with PyjwtTokenVerifier.from_url(server.url + OPTIONS, clock=clock) as verifier:
        await refuses(verifier, EC.sign(claims_at(clock.now())))


@pytest.mark.parametrize("algorithms", ["RS256", "RS256,EdDSA"])
async def test_an_algorithm_that_is_not_allowed_is_refused(
    server: JwksServer, clock: MemoryClock, algorithms: str
) -> None:
    url = f"{server.url}{OPTIONS}&algorithms={algorithms}"
    async with PyjwtTokenVerifier.from_url(url, clock=clock) as verifier:
        await refuses(verifier, EC.sign(claims_at(clock.now())))
        await verifier.verify(Secret(signing_key("RS256", "RS256").sign(claims_at(clock.now()))))


def rsa() -> dict[str, Any]:
    """Return the public key of RSA as a set shows it."""
    return signing_key("RS256", "RS256").jwk


def private(key: SigningKey) -> dict[str, Any]:
    """Return both halves of *key* as an issuer might publish them by mistake."""
    algorithm = jwt.PyJWS().get_algorithm_by_name(key.algorithm)
    return algorithm.to_jwk(key.private, as_dict=True)


def encoded(number: bytes) -> str:
    return base64.urlsafe_b64encode(number).decode().rstrip("=")


UNFIT: dict[str, Callable[[], Any]] = {
    "for encryption": lambda: {**EC.jwk, "use": "enc"},
    "not to verify": lambda: {**EC.jwk, "key_ops": ["sign"]},
    "odd operations": lambda: {**EC.jwk, "key_ops": "verify"},
    "another algorithm": lambda: {**EC.jwk, "alg": "RS256"},
    "no algorithm's name": lambda: {**EC.jwk, "alg": 7},
    "private": lambda: {**private(ED), "kid": "published"},
    "half private": lambda: {**EC.jwk, "d": "AAAA"},
    "symmetric": lambda: {"kty": "oct", "k": "c2VjcmV0" * 8, "kid": "ES256", "alg": "HS256"},
    "another curve": lambda: signing_key("ES384").jwk,
    "off the curve": lambda: {**EC.jwk, "x": EC.jwk["y"]},
    "another type": lambda: {**EC.jwk, "kty": "RSA"},
    "short RSA": lambda: signing_key("RS256", "short", bits=1024).jwk,
    "slow exponent": lambda: {**rsa(), "e": encoded((2**2000 + 1).to_bytes(256))},
    "even exponent": lambda: {**rsa(), "e": "Ag"},
    "no modulus": lambda: {name: value for name, value in rsa().items() if name != "n"},
    "odd modulus": lambda: {**rsa(), "n": 7},
    "odd type": lambda: {**EC.jwk, "kty": ["EC"]},
    "odd name": lambda: {**EC.jwk, "kid": 7},
    "long name": lambda: {**EC.jwk, "kid": "x" * 256},
    "short point": lambda: {**ED.jwk, "x": "AAAA"},
    "text": lambda: "key",
    "nothing": lambda: None,
}


@pytest.mark.parametrize("unfit", UNFIT)
async def test_a_key_that_is_not_for_this_is_not_used_and_harms_no_other(
    server: JwksServer, clock: MemoryClock, unfit: str
) -> None:
    key = UNFIT[unfit]()
    assert published_key(key) is None
    server.serves(key, {**ED.jwk, "kid": "good"})
    async with PyjwtTokenVerifier.from_url(server.url + OPTIONS, clock=clock) as verifier:
        await verifier.verify(Secret(ED.sign(claims_at(clock.now()), kid="good")))
        assert (await verifier.health()).startswith("1 keys")


@pytest.mark.parametrize("name", ["alg", "use", "kid"])
def test_what_a_published_key_may_leave_out(name: str) -> None:
    for key in three():
        jwk = {field: value for field, value in key.jwk.items() if field != name}
        assert published_key(jwk) is not None
