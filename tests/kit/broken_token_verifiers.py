"""Verifiers of users' tokens with one fault each, for their suite to find."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.pyjwt.token_verifier import PyjwtTokenVerifier
from tollkeeper.contracts.token_verifier import AUDIENCE, ISSUER
from tollkeeper.domain.errors import Unauthenticated
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.user_tokens import TokenTerms, UserClaims

SHARED = "super-secret-jwt-token-with-at-least-32-characters-long"
TERMS = TokenTerms(ISSUER, AUDIENCE)


def verifier_of(kind: type[PyjwtTokenVerifier], clock: MemoryClock) -> PyjwtTokenVerifier:
    """Make a verifier of *kind* for what is signed with :data:`SHARED`."""
    url = f"jwt+hs256://?issuer={ISSUER}&audience={AUDIENCE}"
    return kind.from_url(url, clock=clock, secret=Secret(SHARED))


def unverified(token: Secret) -> dict[str, Any]:
    """Read the claims of *token*, whoever signed it."""
    try:
        claims: dict[str, Any] = jwt.decode(token.reveal(), options={"verify_signature": False})
    except (jwt.PyJWTError, UnicodeEncodeError):
        return {}
    return claims


class TrustsAnyone(PyjwtTokenVerifier):
    """Looks at no signature."""

    async def verify(self, token: Secret) -> UserClaims:
        return TERMS.admit(unverified(token), now=self._clock.now())


class TakesUnsigned(PyjwtTokenVerifier):
    """Believes a token that says that it is not signed."""

    async def verify(self, token: Secret) -> UserClaims:
        if token.reveal().endswith("."):
            return TERMS.admit(unverified(token), now=self._clock.now())
        return await super().verify(token)


class TakesAnyAlgorithm(PyjwtTokenVerifier):
    """Lets the token say how it is signed."""

    async def verify(self, token: Secret) -> UserClaims:
        try:
            claims = jwt.decode(
                token.reveal(), SHARED, ["HS256", "HS512"], options={"verify_signature": True}
            )
        except jwt.ExpiredSignatureError:
            return TERMS.admit(unverified(token), now=self._clock.now())
        except (jwt.PyJWTError, UnicodeEncodeError):
            return await super().verify(token)
        return TERMS.admit(claims, now=self._clock.now())


class LetsTheLibrarySpeak(PyjwtTokenVerifier):
    """Raises what its library raises."""

    async def verify(self, token: Secret) -> UserClaims:
        jwt.get_unverified_header(token.reveal())
        return await super().verify(token)


class SaysWhy(PyjwtTokenVerifier):
    """Tells forged tokens from those that are none."""

    async def verify(self, token: Secret) -> UserClaims:
        try:
            return await super().verify(token)
        except Unauthenticated as error:
            if error.code == "token_invalid" and unverified(token):
                raise Unauthenticated("the signature is wrong", code="token_invalid") from None
            raise


class StripsTokens(PyjwtTokenVerifier):
    """Tidies tokens up."""

    async def verify(self, token: Secret) -> UserClaims:
        return await super().verify(Secret(token.reveal().strip(" =")))


class AnyIssuer(PyjwtTokenVerifier):
    """Reads whatever issuer as its own, once the signature is right."""

    changes: dict[str, Any] = {"iss": ISSUER}  # noqa: RUF012 - nobody writes to it

    async def verify(self, token: Secret) -> UserClaims:
        try:
            return await super().verify(token)
        except Unauthenticated as error:
            try:
                claims = jwt.decode(token.reveal(), SHARED, ["HS256"], options=_SIGNATURE_ALONE)
            except Exception:
                raise error from None
        return TERMS.admit({**claims, **self.changes}, now=self._clock.now())


_SIGNATURE_ALONE: Any = {
    **dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud"), False),
    **dict.fromkeys(("verify_iss", "verify_sub", "verify_jti"), False),
}


class AnyAudience(AnyIssuer):
    """Serves every audience."""

    changes = {"aud": AUDIENCE}  # noqa: RUF012 - nobody writes to it


class ForEverValid(AnyIssuer):
    """Does not look at the expiry."""

    changes = {"exp": 2**33}  # noqa: RUF012 - nobody writes to it


class ValidBefore(AnyIssuer):
    """Does not look at when a token begins to be valid."""

    changes = {"nbf": 1, "iat": 1}  # noqa: RUF012 - nobody writes to it


class ItsOwnClock(PyjwtTokenVerifier):
    """Takes the time from the machine."""

    async def verify(self, token: Secret) -> UserClaims:
        found = await super().verify(token)
        if found.expires_at < datetime.fromtimestamp(time.time(), UTC):
            raise Unauthenticated("the user token has expired", code="token_expired")
        return found


class RemembersTokens(PyjwtTokenVerifier):
    """Judges a token once."""

    seen: dict[Secret, UserClaims] = {}  # noqa: RUF012 - the tokens of a run differ

    async def verify(self, token: Secret) -> UserClaims:
        if token not in self.seen:
            self.seen[token] = await super().verify(token)
        return self.seen[token]


class TimeBeforeSignature(PyjwtTokenVerifier):
    """Tells everybody whether a token is over."""

    async def verify(self, token: Secret) -> UserClaims:
        expiry = unverified(token).get("exp")
        if type(expiry) is int and 0 < expiry <= self._clock.now().timestamp() - 60:
            raise Unauthenticated("the user token has expired", code="token_expired")
        return await super().verify(token)


class LongLeeway(PyjwtTokenVerifier):
    """Lets a token live for an hour more."""

    async def verify(self, token: Secret) -> UserClaims:
        try:
            return await super().verify(token)
        except Unauthenticated as error:
            if error.code != "token_expired":
                raise
        earlier = self._clock.now() - timedelta(hours=1)
        return TERMS.admit(unverified(token), now=earlier)


class OneAudienceAlone(PyjwtTokenVerifier):
    """Does not know that there can be several."""

    async def verify(self, token: Secret) -> UserClaims:
        found = await super().verify(token)
        if len(found.audience) > 1:
            raise Unauthenticated("the user token is not valid", code="token_invalid")
        return found


class WantsTheTimeOfIssue(PyjwtTokenVerifier):
    """Takes no token that does not say when it was issued."""

    async def verify(self, token: Secret) -> UserClaims:
        found = await super().verify(token)
        if found.issued_at is None:
            raise Unauthenticated("the user token is not valid", code="token_invalid")
        return found


class TakesText(PyjwtTokenVerifier):
    """Takes tokens that everybody can read."""

    async def verify(self, token: Any) -> UserClaims:
        return await super().verify(token if isinstance(token, Secret) else Secret(str(token)))


class ShowsTokens(PyjwtTokenVerifier):
    """Has the token's text in a variable when it raises."""

    async def verify(self, token: Secret) -> UserClaims:
        plain = token.reveal() if isinstance(token, Secret) else token  # noqa: F841 - the fault
        return await super().verify(token)


class ShowsClaims(PyjwtTokenVerifier):
    """Has the claims in a variable when it raises."""

    async def verify(self, token: Secret) -> UserClaims:
        claims = unverified(token) if isinstance(token, Secret) else {}  # noqa: F841 - the fault
        return await super().verify(token)


class OneAtATime(PyjwtTokenVerifier):
    """Notes what is to be verified, and looks a moment later."""

    async def verify(self, token: Secret) -> UserClaims:
        self.noted = token
        await asyncio.sleep(0)
        return await super().verify(self.noted)


class LockedForEver(PyjwtTokenVerifier):
    """Fails everyone once a caller gave up."""

    locked = False

    async def verify(self, token: Secret) -> UserClaims:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.locked = True
            raise
        if self.locked:
            raise RuntimeError("locked")
        return await super().verify(token)
