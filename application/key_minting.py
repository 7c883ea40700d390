"""Making and checking the secrets of API keys, and the seals of their records."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from attrs import evolve, field, frozen

from tollkeeper.domain import key_seals
from tollkeeper.domain.api_keys import ApiKey, KeySecret
from tollkeeper.domain.errors import Conflict
from tollkeeper.domain.key_tokens import (
    KID_BYTES,
    SECRET_BYTES,
    Pepper,
    checked_prefix,
    encode_kid,
    encode_token,
    matches,
)
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.identifiers import Identifiers

_NOBODYS = bytes(32)


class Peppers(Protocol):
    """The peppers as they are now."""

    def current(self) -> Pepper:
        """Return the one that new secrets and seals are made with."""

    def by_id(self, pepper_id: str) -> Pepper | None:
        """Return the one of that name, current or retired, if it is known."""

    async def find(self, pepper_id: str) -> Pepper | None:
        """Return the one of that name; look where peppers come from if it is not known yet."""


@frozen
class FixedPeppers:
    """Peppers that stay as they are, the current one first."""

    peppers: Sequence[Pepper]

    def current(self) -> Pepper:
        """Return the first."""
        return self.peppers[0]

    def by_id(self, pepper_id: str) -> Pepper | None:
        """Return the one of that name, if there is one."""
        return next((pepper for pepper in self.peppers if pepper.id == pepper_id), None)

    async def find(self, pepper_id: str) -> Pepper | None:
        """Return the one of that name, if there is one."""
        return self.by_id(pepper_id)


@frozen
class KeyMint:
    """Makes secrets and seals under the current pepper, and checks them under any known one."""

    identifiers: Identifiers
    prefix: str = field(converter=checked_prefix)
    peppers: Peppers

    def make_secret(self, at: datetime) -> tuple[Secret, KeySecret]:
        """Make a token, and what the store keeps of it, that works from *at*."""
        kid = encode_kid(self.identifiers.random_bytes(KID_BYTES))
        token = encode_token(self.prefix, kid, self.identifiers.random_bytes(SECRET_BYTES))
        pepper = self.peppers.current()
        kept = KeySecret(
            kid=kid, verifier=pepper.verifier(token), pepper_id=pepper.id, not_before=at
        )
        return Secret(token), kept

    def proves(self, token: str, secret: KeySecret | None) -> bool:
        """Whether *token* is that of *secret*; an absent one costs the same time to refuse."""
        pepper = None if secret is None else self.peppers.by_id(secret.pepper_id)
        if secret is None or pepper is None:
            return matches(token, _NOBODYS, self.peppers.current())
        return matches(token, secret.verifier, pepper)

    def knows(self, secret: KeySecret) -> bool:
        """Whether the pepper of *secret* is at hand."""
        return self.peppers.by_id(secret.pepper_id) is not None

    def seal(self, key: ApiKey) -> ApiKey:
        """Seal *key* as it is now."""
        return key_seals.sealed(key, self.peppers.current())

    def is_intact(self, key: ApiKey) -> bool:
        """Whether *key* is as it was sealed; without a seal, or its pepper, it is not."""
        pepper = None if key.seal is None else self.peppers.by_id(key.seal.pepper_id)
        return pepper is not None and key_seals.is_intact(key, pepper)

    def require_intact(self, key: ApiKey) -> None:
        """Check that *key* is as it was sealed, before anything is changed and sealed anew.

        Raises:
            Conflict: it is not (codes ``key_unsealed``, ``pepper_unknown``, ``key_tampered``).
        """
        if key.seal is None:
            raise Conflict(
                "the key was made before keys were sealed: run `tollkeeper keys seal --unsealed`",
                code="key_unsealed",
            )
        if self.peppers.by_id(key.seal.pepper_id) is None:
            raise Conflict(
                f"the key was sealed under the pepper {key.seal.pepper_id}, which is not "
                "configured: add it to retired_key_peppers",
                code="pepper_unknown",
            )
        if not self.is_intact(key):
            raise Conflict(
                "the key's record was changed behind Tollkeeper's back: revoke it, and look "
                "who can write to the store",
                code="key_tampered",
            )

    def renewed(self, key: ApiKey, kid: str, token: str) -> ApiKey:
        """Put the secret *kid*, whose *token* was proved, under the current pepper."""
        pepper = self.peppers.current()
        verifier = pepper.verifier(token)
        secrets = tuple(
            evolve(secret, verifier=verifier, pepper_id=pepper.id) if secret.kid == kid else secret
            for secret in key.secrets
        )
        return evolve(key, secrets=secrets, version=key.version + 1)
