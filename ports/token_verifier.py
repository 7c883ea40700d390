"""Whether the token that a host's user shows is one of its issuer's."""

from typing import Protocol, runtime_checkable

from tollkeeper.domain.secret import Secret
from tollkeeper.domain.user_tokens import UserClaims


@runtime_checkable
class TokenVerifier(Protocol):
    """Verifies users' tokens of one issuer, for one audience, by a clock that it was given.

    What is no token is refused without asking anybody. Signature, issuer and audience are judged
    before the time: whoever shows no genuine token for us learns nothing more. Nothing is
    remembered of a token, so that each call judges it anew.
    """

    async def verify(self, token: Secret) -> UserClaims:
        """Return what *token* says, all of it verified; its expiry is in the future.

        Clocks may be apart by a leeway of a minute at most.

        Raises:
            InvalidRequest: *token* is no :class:`Secret`.
            Unauthenticated: with one and the same text and the code ``token_invalid`` for what is
                malformed, forged, signed by a key or in a way that is not the issuer's, of
                another issuer, for another audience, or without subject or expiry; of genuine
                tokens ``token_expired``, and ``token_not_yet_valid`` when their ``nbf`` or
                ``iat`` lies in the future.
            PortError: whether it is genuine cannot be said, since the issuer's keys cannot be had.
                That is never ``Unauthenticated``.
        """
