"""Whom the claims of a user's token make of a caller: which account pays, and what it may do."""

import re

from attrs import field, frozen

from tollkeeper.domain.checks import checked_account, checked_scopes
from tollkeeper.domain.errors import InvalidRequest, PermissionDenied, Unauthenticated
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.user_tokens import UserClaims

_CLAIM = re.compile(r"[!-~]{1,255}")
_PREFIX = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._:@-]{0,63})?")
_SCOPE = re.compile(r"[a-z][a-z0-9_-]{0,63}:[a-z][a-z0-9_-]{0,63}")
_WRITTEN_BY_USERS = ("user_metadata", "raw_user_meta_data", "unsafe_metadata")


def _checked_path(path: str) -> str:
    if not isinstance(path, str) or not _CLAIM.fullmatch(path):
        raise InvalidRequest(
            "a claim is named by 1-255 printable characters, such as app_metadata.account_id",
            code="invalid_claim_name",
        )
    if path.partition(".")[0] in _WRITTEN_BY_USERS:
        raise InvalidRequest(
            f"users write {path.partition('.')[0]} themselves, so it says nothing about who pays "
            "and what is allowed; use a claim that only the issuer writes, such as app_metadata",
            code="invalid_claim_name",
        )
    return path


def _checked_prefix(prefix: str) -> str:
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        raise InvalidRequest(
            "account_prefix is up to 64 letters, digits or . _ : @ -, and starts with a letter or "
            "digit",
            code="invalid_account",
        )
    return prefix


def _checked_granted(scopes: object) -> frozenset[str]:
    none = isinstance(scopes, set | frozenset | list | tuple) and not scopes
    return frozenset() if none else checked_scopes(scopes)


def _checked_allowed(scopes: object) -> frozenset[str] | None:
    return None if scopes is None else _checked_granted(scopes)


@frozen(kw_only=True)
class ClaimsRule:
    """How an issuer's claims become a principal. What is not said here is not allowed.

    Args:
        account_claim: the claim that names the account (see :meth:`UserClaims.claim`).
        scopes_claim: the claim that lists scopes, as a list or one text with spaces between.
        granted: the scopes that every user of the issuer has.
        allowed: the most that any user may have: of the scopes that a token lists, only these
            count. None is no more than *granted*, so that no token can add to it.
        account_prefix: what accounts of this issuer begin with, to keep them apart from others.

    Raises:
        InvalidRequest: a name or scope is malformed, a claim is one that users write themselves,
            or *granted* is more than *allowed*.
    """

    account_claim: str = field(default="sub", converter=_checked_path)
    scopes_claim: str = field(default="scope", converter=_checked_path)
    granted: frozenset[str] = field(default=frozenset(), converter=_checked_granted)
    allowed: frozenset[str] | None = field(default=None, converter=_checked_allowed)
    account_prefix: str = field(default="", converter=_checked_prefix)

    def __attrs_post_init__(self) -> None:
        if self.allowed is not None and not self.granted <= self.allowed:
            more = ", ".join(sorted(self.granted - self.allowed))
            raise InvalidRequest(
                f"users are granted more than they are allowed: {more}", code="invalid_scope"
            )

    def principal(self, claims: UserClaims) -> Principal:
        """Say who the user of *claims* is.

        Raises:
            Unauthenticated: no account is named, or no well-formed one (code
                ``token_without_account``).
            PermissionDenied: nothing is allowed to the user (code ``missing_scope``).
        """
        if not isinstance(claims, UserClaims):
            raise InvalidRequest("a principal is made of UserClaims", code="invalid_claims")
        account = self._account(claims)
        scopes = self._scopes(claims)
        if account is None:
            raise Unauthenticated("the user token names no account", code="token_without_account")
        if not scopes:
            raise PermissionDenied(
                "the user token carries no scope that users are allowed here", code="missing_scope"
            )
        return Principal(account, scopes)

    def _account(self, claims: UserClaims) -> str | None:
        named = claims.claim(self.account_claim)
        if not isinstance(named, str) or not named:
            return None
        try:
            return checked_account(self.account_prefix + named)
        except InvalidRequest:
            return None

    def _scopes(self, claims: UserClaims) -> frozenset[str]:
        listed = claims.claim(self.scopes_claim)
        words = listed.split(" ") if isinstance(listed, str) else listed
        if not isinstance(words, list | tuple):
            words = ()
        told = {word for word in words if isinstance(word, str) and _SCOPE.fullmatch(word)}
        return self.granted | (told & (self.allowed or frozenset()))
