"""An issuer of user tokens: its keys, what it signs, and a real server that publishes them.

::

    with jwks_server(signing_key("ES256")) as issuer:
        verifier = PyjwtTokenVerifier.from_url(f"{issuer.url}?issuer=…&audience=…", clock=clock)
        token = issuer.keys[0].sign(claims)
        issuer.keys = [signing_key("ES256", "next")]      # it rotates
        issuer.play = Play(status=500)                     # it is down
"""

import base64
import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jwt
from attrs import Factory, define, field
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.servers.http_player import HttpPlayer, Play, SeenRequest, http_player

Json = dict[str, Any]
PATH = "/auth/v1/.well-known/jwks.json"
_SIGNERS = jwt.PyJWS()


@define(eq=False)
class SigningKey:
    """A key pair as the issuer has it, called *name*."""

    name: str
    algorithm: str
    private: Any = field(repr=False)

    @property
    def jwk(self) -> Json:
        """The public half, as a key set shows it."""
        algorithm = _SIGNERS.get_algorithm_by_name(self.algorithm)
        public = algorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.name, "alg": self.algorithm, "use": "sig"}

    @property
    def pem(self) -> bytes:
        """The public half, as a file holds it."""
        public: bytes = self.private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        return public

    def sign(self, claims: object, **headers: object) -> str:
        """Sign *claims*; a header that is None is left out."""
        return signed(claims, self.algorithm, self.private, {"kid": self.name, **headers})


@functools.cache
def signing_key(algorithm: str, name: str = "first", *, bits: int = 2048) -> SigningKey:
    """Make a key, once for all tests."""
    make: Mapping[str, Callable[[], Any]] = {
        "RS256": lambda: rsa.generate_private_key(65537, bits),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }
    return SigningKey(name, algorithm, make[algorithm]())


def signed(claims: object, algorithm: str, key: Any, headers: Mapping[str, object]) -> str:
    """Make a token of *claims*, whatever they are, with *headers*; they may name any algorithm."""
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    head = {"alg": algorithm, "typ": "JWT", **headers}
    told = {name: value for name, value in head.items() if value is not None}
    return signed_parts(json.dumps(told).encode(), body, algorithm, key)


def signed_parts(head: bytes, body: bytes, algorithm: str, key: Any) -> str:
    """Sign *head* and *body* as they are; not at all if *algorithm* is ``none``."""
    text = b".".join(_encoded(part) for part in (head, body))
    if algorithm == "none":
        return text.decode() + "."
    signer = _SIGNERS.get_algorithm_by_name(algorithm)
    return b".".join((text, _encoded(signer.sign(text, key)))).decode()


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


@define(eq=False)
class JwksServer:
    """The issuer as tests see it; *keys* are published, unless it *plays* something else."""

    keys: list[SigningKey]
    play: Play | None = None
    headers: dict[str, str] = Factory(dict)
    player: HttpPlayer = field(factory=lambda: HttpPlayer(""))

    @property
    def url(self) -> str:
        """What ``token_verifier`` is set to, without its options."""
        return f"jwks+{self.player.origin}{PATH}"

    @property
    def requests(self) -> list[SeenRequest]:
        """All requests, the oldest first."""
        return self.player.requests

    def serves(self, *jwks: object, **play: Any) -> None:
        """Publish *jwks* as they are from now on."""
        self.play = Play((json.dumps({"keys": jwks}).encode(),), framing="length", **play)


@contextlib.contextmanager
def jwks_server(*keys: SigningKey) -> Iterator[JwksServer]:
    """Publish *keys* on a free loopback port until the block ends."""
    issuer = JwksServer(list(keys))

    def script(seen: SeenRequest) -> Play:
        if (seen.method, seen.path) != ("GET", PATH):
            return Play(status=404, framing="length")
        if issuer.play is not None:
            return issuer.play
        body = json.dumps({"keys": [key.jwk for key in issuer.keys]}).encode()
        return Play((body,), headers=issuer.headers, framing="length")

    with http_player(script) as player:
        issuer.player = player
        yield issuer
