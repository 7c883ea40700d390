"""The keys that signatures are verified by: which are of use, and which of them a token names."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import jwt
from anyio import to_thread
from attrs import field, frozen

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret

_ALGORITHM: Mapping[tuple[object, object], str] = {
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}
_PRIVATE = frozenset({"d", "k", "p", "q", "dp", "dq", "qi", "oth"})
_LONGEST_KEY_ID = 255
_LONGEST_EXPONENT = 8  # characters of base64: what is longer only costs time
_SMALLEST_RSA, _LARGEST_RSA = 2048, 8192
_SMALLEST_SECRET = 32
_FEWEST_CHARACTERS = 8
_LARGEST_FILE = 65_536
JWS = jwt.PyJWS(algorithms=["HS256", "RS256", "ES256", "EdDSA"])


class Keys(Protocol):
    """Where the keys of one issuer come from."""

    async def open(self) -> None:
        """Make ready."""

    async def close(self) -> None:
        """Give up what is held."""

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key of that name for *algorithm*; None if the issuer has none."""

    async def health(self) -> str:
        """Look once whether there are keys, and say which."""


def published_key(jwk: object) -> jwt.PyJWK | None:
    """Return the public key that *jwk*, one of a set, describes; None if it is of no use to us."""
    if not isinstance(jwk, dict) or _PRIVATE & jwk.keys():
        return None  # a secret that is published is none
    curve = None if jwk.get("kty") == "RSA" else jwk.get("crv")
    try:
        algorithm = _ALGORITHM.get((jwk.get("kty"), curve))
    except TypeError:  # they are no texts
        return None
    operations = jwk.get("key_ops", ["verify"])
    if (
        algorithm is None
        or jwk.get("alg", algorithm) != algorithm
        or jwk.get("use", "sig") != "sig"
        or not isinstance(operations, list)
        or "verify" not in operations
        or not isinstance(jwk.get("kid", ""), str)
        or len(jwk.get("kid", "")) > _LONGEST_KEY_ID
        or len(str(jwk.get("e", ""))) > _LONGEST_EXPONENT
    ):
        return None
    return _made(jwk, algorithm)


def _made(jwk: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
    try:
        key = jwt.PyJWK(jwk, algorithm)
    except Exception:  # what is no key can break the library in any way
        return None
    if algorithm == "RS256" and not _SMALLEST_RSA <= key.key.key_size <= _LARGEST_RSA:
        return None
    return key


@frozen
class KeySet:
    """The keys of one issuer that are of use, by name and algorithm."""

    _named: Mapping[tuple[str | None, str], tuple[jwt.PyJWK, ...]] = field(repr=False)

    @classmethod
    def of(cls, keys: Iterable[jwt.PyJWK]) -> "KeySet":
        """Make one of *keys*."""
        named: dict[tuple[str | None, str], tuple[jwt.PyJWK, ...]] = {}
        for key in keys:
            # A token that names no key is meant for the only one.
            for name in {key.key_id, None}:
                at = (name, key.algorithm_name)
                named[at] = (*named.get(at, ()), key)
        return cls(named)

    def __len__(self) -> int:
        return sum(len(keys) for (name, _), keys in self._named.items() if name is None)

    def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the one key that is meant; of several none is tried."""
        found = self._named.get((key_id, algorithm), ())
        return found[0] if len(found) == 1 else None


class FixedKeys:
    """One key, whatever name a token gives it."""

    def __init__(self, key: jwt.PyJWK) -> None:
        self._key = key

    @classmethod
    def of(cls, secret: Secret | None) -> "FixedKeys":
        """Take the *secret* that is shared with the issuer, for HS256.

        Raises:
            ConfigurationError: there is none, or it is weak, or a key of another kind.
        """
        if not isinstance(secret, Secret) or not secret:
            raise ConfigurationError(
                "token_secret is missing: jwt+hs256:// needs the secret that is shared with the "
                "issuer",
                code="token_secret_missing",
            )
        key = _shared(secret)
        if key is None:
            raise ConfigurationError(
                f"token_secret is weak, or no secret but a key in another form: it must be "
                f"{_SMALLEST_SECRET} random bytes or more",
                code="weak_token_secret",
            )
        return cls(key)

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key, if it is one for *algorithm*."""
        return self._key if self._key.algorithm_name == algorithm else None

    async def health(self) -> str:
        """Say which algorithm it is for."""
        return f"one key for {self._key.algorithm_name}"


def _shared(secret: Secret) -> jwt.PyJWK | None:
    # Errors of the library may hold what it was given: none of them leaves this function.
    try:
        value = secret.reveal().encode()
        if len(value) < _SMALLEST_SECRET or len(set(value)) < _FEWEST_CHARACTERS:
            return None
        algorithm = JWS.get_algorithm_by_name("HS256")
        described = algorithm.to_jwk(algorithm.prepare_key(value), as_dict=True)
        return jwt.PyJWK(described, "HS256")
    except (jwt.PyJWTError, ValueError):
        return None


class PemKeys:
    """The public key in the file *path*, which is read when it is opened or first needed."""

    def __init__(self, path: Path, algorithms: tuple[str, ...]) -> None:
        self._path = path
        self._algorithms = algorithms
        self._key: FixedKeys | None = None

    async def open(self) -> None:
        """Read the file.

        Raises:
            ConfigurationError: it cannot be read, or holds no public key that is of use.
        """
        self._key = await to_thread.run_sync(self._read)

    async def close(self) -> None:
        """Forget the key, so that it is read again."""
        self._key = None

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key, if it is one for *algorithm*."""
        if self._key is None:
            await self.open()
        return None if self._key is None else await self._key.find(key_id, algorithm)

    async def health(self) -> str:
        """Read the file anew."""
        return await (await to_thread.run_sync(self._read)).health()

    def _read(self) -> FixedKeys:
        try:
            with self._path.open("rb") as file:
                text = file.read(_LARGEST_FILE)
        except OSError as error:
            raise ConfigurationError(
                f"token_verifier: the file {self._path.name!a} cannot be read; check its name and "
                "permissions"
            ) from error
        for algorithm in self._algorithms:
            key = _public(text, algorithm)
            if key is not None:
                return FixedKeys(key)
        raise ConfigurationError(
            f"token_verifier: the file {self._path.name!a} holds no public key for "
            f"{','.join(self._algorithms)} (RSA of {_SMALLEST_RSA} to {_LARGEST_RSA} bits, P-256, "
            "Ed25519); it must begin with -----BEGIN PUBLIC KEY-----"
        )


def _public(text: bytes, algorithm: str) -> jwt.PyJWK | None:
    # Should it be a private key, neither it nor what the library says of it leaves this function.
    if not text.lstrip().startswith(b"-----BEGIN PUBLIC KEY-----"):
        return None
    known = JWS.get_algorithm_by_name(algorithm)
    try:
        described = known.to_jwk(known.prepare_key(text.strip()), as_dict=True)
    except Exception:  # what is no key can break the library in any way
        return None
    return published_key(described)
