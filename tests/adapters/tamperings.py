"""What somebody who can write to the tables of keys may write there."""

from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen

from tollkeeper.domain.api_keys import ApiKey, KeySeal
from tollkeeper.domain.key_seals import sealed
from tollkeeper.domain.key_tokens import Pepper, encode_token
from tollkeeper.domain.secret import Secret

RETIRED = Secret("fedcba9876543210" * 4)
"""A pepper of ours that is no longer the current one."""
GUESS = b"\1" * 32
"""The secret part of a token that was never issued."""
MADE_UP = Pepper(b"a guess at the pepper" * 2)
ALL = {"chat:complete", "keys:write", "keys:read"}
Records = tuple[ApiKey, ...]


@frozen
class Tampering:
    """What is written in the place of a key's record, and what becomes of the key."""

    name: str
    write: Callable[[ApiKey, ApiKey], Records]
    """Gets the key, and one of another account."""
    proved: bool = True
    """Whether the token still is that of the record: then it is told that it was tampered with."""
    code: str = ""
    """Of the refusal, where it is not the one for keys that do not exist."""
    managing: str = "key_tampered"
    before: str = ""
    """What was done to the key first, by its rightful owner."""

    @property
    def is_told(self) -> bool:
        return not self.code


def with_secrets(key: ApiKey, *changes: dict[str, Any]) -> ApiKey:
    return evolve(
        key,
        secrets=tuple(evolve(each, **new) for each, new in zip(key.secrets, changes, strict=True)),
    )


def _swapped(key: ApiKey, other: ApiKey, *names: str) -> Records:
    def with_those_of(one: ApiKey, two: ApiKey) -> ApiKey:
        return with_secrets(one, {name: getattr(two.secrets[0], name) for name in names})

    return with_those_of(key, other), with_those_of(other, key)


def _foreign_verifier(key: ApiKey, _: ApiKey) -> Records:
    token = encode_token(key.prefix, key.secrets[0].kid, GUESS)
    return (with_secrets(key, {"verifier": MADE_UP.verifier(token)}),)


def _swapped_times(key: ApiKey, _: ApiKey) -> Records:
    new, old = key.secrets
    return (with_secrets(key, {"not_after": old.not_after}, {"not_after": new.not_after}),)


def _with_seal(key: ApiKey, seal: KeySeal | None) -> Records:
    return (evolve(key, seal=seal),)


def _seal_under(pepper_id: str) -> Callable[[ApiKey, ApiKey], Records]:
    return lambda key, _: _with_seal(key, evolve(_seal(key), pepper_id=pepper_id))


def _seal(key: ApiKey) -> KeySeal:
    assert key.seal is not None
    return key.seal


def _resealed(key: ApiKey, _: ApiKey) -> Records:
    return (sealed(evolve(key, scopes=frozenset(ALL)), MADE_UP),)


def _pepper_id(secret: Secret) -> str:
    return Pepper(secret.reveal().encode()).id


def _changed(**changes: Any) -> Callable[[ApiKey, ApiKey], Records]:
    return lambda key, _: (evolve(key, **changes),)


TAMPERINGS = [
    Tampering("own verifier", _foreign_verifier, proved=False),
    Tampering("moved to another account", lambda k, o: (evolve(k, account=o.account),)),
    Tampering("wider scopes", _changed(scopes=frozenset(ALL))),
    Tampering("end lifted", _changed(expires_at=None)),
    Tampering("revocation undone", _changed(revoked_at=None), before="revoke"),
    Tampering("switched on", _changed(disabled_at=None), before="disable"),
    Tampering("limits dropped", _changed(limits=())),
    Tampering("quota dropped", _changed(quota=None)),
    Tampering("networks dropped", _changed(networks=())),
    Tampering("older version", lambda k, _: (evolve(k, version=k.version + 7),)),
    Tampering("verifiers swapped", lambda k, o: _swapped(k, o, "verifier"), proved=False),
    Tampering("secrets swapped", lambda k, o: _swapped(k, o, "kid", "verifier")),
    Tampering("ends of secrets swapped", _swapped_times, before="rotate"),
    Tampering("end of the old secret lifted", before="rotate",
              write=lambda k, _: (with_secrets(k, {}, {"not_after": None}),)),
    Tampering("seal taken away", lambda k, _: _with_seal(k, None),
              code="key_unsealed", managing="key_unsealed"),
    Tampering("seal of another key", lambda k, o: _with_seal(k, o.seal)),
    Tampering("sealed under a guess", _resealed, code="pepper_unknown", managing="pepper_unknown"),
    Tampering("seal said to be under a retired pepper", _seal_under(_pepper_id(RETIRED))),
    Tampering("seal said to be under no pepper", _seal_under("nosuch"),
              code="pepper_unknown", managing="pepper_unknown"),
    Tampering("verifier said to be under a retired pepper", proved=False,
              write=lambda k, _: (with_secrets(k, {"pepper_id": _pepper_id(RETIRED)}),)),
    Tampering("verifier said to be under no pepper", code="pepper_unknown",
              write=lambda k, _: (with_secrets(k, {"pepper_id": "nosuch"}),)),
]  # fmt: skip
