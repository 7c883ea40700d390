"""Making and checking the secrets of API keys."""

from datetime import datetime

from attrs import field, frozen

from tollkeeper.domain.api_keys import KeySecret
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


@frozen
class KeyMint:
    """Makes secrets under the first of *peppers* and checks them under any of them."""

    identifiers: Identifiers
    prefix: str = field(converter=checked_prefix)
    peppers: tuple[Pepper, ...]

    def make_secret(self, at: datetime) -> tuple[Secret, KeySecret]:
        """Make a token, and what the store keeps of it, that works from *at*."""
        kid = encode_kid(self.identifiers.random_bytes(KID_BYTES))
        token = encode_token(self.prefix, kid, self.identifiers.random_bytes(SECRET_BYTES))
        pepper = self.peppers[0]
        kept = KeySecret(
            kid=kid, verifier=pepper.verifier(token), pepper_id=pepper.id, not_before=at
        )
        return Secret(token), kept

    def proves(self, token: str, secret: KeySecret | None) -> bool:
        """Whether *token* is that of *secret*; an absent one costs the same time to refuse."""
        pepper = self.peppers[0]
        if secret is not None:
            pepper = next((p for p in self.peppers if p.id == secret.pepper_id), pepper)
        return matches(token, secret.verifier if secret else bytes(32), pepper)
