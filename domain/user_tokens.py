"""The tokens of a host's users: what their claims must say.

An issuer (Supabase, an OpenID provider) signs a JSON Web Token for a user. Whether the signature
is right is an adapter's to find out; whether its claims are for us is decided here.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import field, frozen

from tollkeeper.domain.checks import checked_text, checked_time
from tollkeeper.domain.errors import InvalidRequest, Unauthenticated
from tollkeeper.domain.read_only import read_only
from tollkeeper.domain.secret import Secret

MOST_LEEWAY = timedelta(seconds=60)
"""How far apart the issuer's clock and ours may be said to be, at most."""
_DEEPEST = 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def refuse() -> Unauthenticated:
    """Make the one answer to every token that is malformed, forged, or not for us."""
    return Unauthenticated("the user token is not valid", code="token_invalid")


def is_hidden(token: object) -> bool:
    """Whether *token* is a :class:`Secret`, which no traceback shows."""
    return isinstance(token, Secret)


def refuse_plain() -> InvalidRequest:
    """Make the answer to a token that is given as anything but a :class:`Secret`."""
    return InvalidRequest("a user token is given as a Secret", code="invalid_secret")


def _expired() -> Unauthenticated:
    return Unauthenticated("the user token has expired; sign in again", code="token_expired")


def _not_yet_valid() -> Unauthenticated:
    return Unauthenticated(
        "the user token is not valid yet; check the clocks of the issuer and of this machine",
        code="token_not_yet_valid",
    )


def _unchangeable(value: Any, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise InvalidRequest(f"claims are at most {_DEEPEST} levels deep", code="invalid_claims")
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise InvalidRequest("claims have texts as names", code="invalid_claims")
        return read_only({name: _unchangeable(each, depth + 1) for name, each in value.items()})
    if isinstance(value, list | tuple):
        return tuple(_unchangeable(each, depth + 1) for each in value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise InvalidRequest("claims are values that JSON can express", code="invalid_claims")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def _checked_claims(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(claims, Mapping):
        raise InvalidRequest("claims are a mapping", code="invalid_claims")
    unchangeable: Mapping[str, Any] = _unchangeable(claims)
    return unchangeable


def _named(text: str, name: str) -> str:
    if text == "":
        raise InvalidRequest(f"{name} must not be empty", code="invalid_claims")
    return checked_text(text, field=name)


def _checked_issuer(issuer: str) -> str:
    return _named(issuer, "issuer")


def _checked_subject(subject: str) -> str:
    return _named(subject, "subject")


def _checked_party(audience: str) -> str:
    return _named(audience, "audience")


def _checked_audience(audience: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(audience, list | tuple):
        raise InvalidRequest("audience is a list of texts", code="invalid_claims")
    return tuple(map(_checked_party, audience))


def _checked_end(at: datetime) -> datetime:
    return checked_time(at, field="expires_at")


def _checked_issue(at: datetime | None) -> datetime | None:
    return None if at is None else checked_time(at, field="issued_at")


@frozen
class UserClaims:
    """What a token that was verified says: who issued it, for whom, about whom, until when.

    *claims* are all of its claims, these included, and cannot be changed; they may be personal,
    and no repr shows them. The token itself is not kept.

    Raises:
        InvalidRequest: a field is of another type, or the claims are no JSON.
    """

    issuer: str = field(converter=_checked_issuer)
    subject: str = field(converter=_checked_subject)
    audience: tuple[str, ...] = field(converter=_checked_audience)
    expires_at: datetime = field(converter=_checked_end)
    issued_at: datetime | None = field(default=None, converter=_checked_issue)
    claims: Mapping[str, Any] = field(
        factory=dict, converter=_checked_claims, repr=False, hash=False
    )

    def __reduce__(self) -> tuple[Any, ...]:
        # Python can neither copy nor pickle a read-only mapping.
        who = (self.issuer, self.subject, self.audience)
        return UserClaims, (*who, self.expires_at, self.issued_at, _plain(self.claims))

    def claim(self, path: str) -> Any:
        """Return the claim called *path*, or the one that it leads to; None if there is none.

        Names may hold dots (``https://example.com/plan``): a claim of that very name comes
        first. Else each dot leads one level down, as in ``app_metadata.account_id``.
        """
        if path in self.claims:
            return self.claims[path]
        found: Any = self.claims
        for step in path.split("."):
            if not isinstance(found, Mapping) or step not in found:
                return None
            found = found[step]
        return found


def _checked_leeway(leeway: timedelta) -> timedelta:
    if not isinstance(leeway, timedelta) or not timedelta(0) <= leeway <= MOST_LEEWAY:
        raise InvalidRequest(f"leeway is a timedelta between 0 and {MOST_LEEWAY}")
    return leeway


@frozen
class TokenTerms:
    """What a token must say to be for us: *issuer*, *audience*, and a time that is not over.

    *leeway* is how far the clocks may be apart.
    """

    issuer: str = field(converter=_checked_issuer)
    audience: str = field(converter=_checked_party)
    leeway: timedelta = field(default=timedelta(seconds=10), converter=_checked_leeway)

    def admit(self, claims: object, *, now: datetime) -> UserClaims:
        """Read the *claims* of a token whose signature is right.

        Raises:
            Unauthenticated: they are malformed, or of another issuer or audience (code
                ``token_invalid``); their time is over (``token_expired``), or has not come
                (``token_not_yet_valid``).
        """
        found = self._judged(claims, now)
        if isinstance(found, Unauthenticated):
            del claims  # a traceback may show the locals of this frame
            raise found
        return found

    def _judged(self, claims: object, now: datetime) -> UserClaims | Unauthenticated:
        if not isinstance(claims, Mapping):
            return refuse()
        audience = claims.get("aud")
        named = (audience,) if isinstance(audience, str) else audience
        if not isinstance(named, list | tuple) or not all(isinstance(each, str) for each in named):
            return refuse()
        if claims.get("iss") != self.issuer or self.audience not in named:
            return refuse()
        times = {name: _time(claims.get(name)) for name in ("exp", "nbf", "iat")}
        expires_at = times["exp"]
        if expires_at is None or any(name in claims and not at for name, at in times.items()):
            return refuse()
        who = (self.issuer, claims.get("sub", ""), tuple(named))
        try:
            found = UserClaims(*who, expires_at, times["iat"], claims)
        except InvalidRequest:
            return refuse()
        if now - self.leeway >= found.expires_at:
            return _expired()
        if any(at is not None and at > now + self.leeway for at in (times["nbf"], times["iat"])):
            return _not_yet_valid()
        return found


def _time(seconds: object) -> datetime | None:
    """Read a NumericDate; None if it is none."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        if seconds <= 0 or not math.isfinite(seconds):
            return None
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None
