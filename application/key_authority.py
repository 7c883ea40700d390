"""Who may do what with keys: a caller who manages keys itself gets no further than its own."""

from collections.abc import Set as AbstractSet

from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.checks import checked_account, checked_text
from tollkeeper.domain.errors import InvalidRequest, NotFound, PermissionDenied
from tollkeeper.domain.principals import Principal

READ = "keys:read"
"""The scope that a caller needs to see its account's keys."""
WRITE = "keys:write"
"""The scope that a caller needs to make and change its account's keys."""


def checked_issuer(
    issuer: Principal | None, *, account: str, scope: str, actor: str = "host"
) -> str:
    """Check that *issuer* may manage keys of *account* at all; return who the audit says it was.

    Without an issuer it is the host itself, which may.

    Raises:
        InvalidRequest: an argument is malformed.
        PermissionDenied: the issuer lacks *scope*.
        NotFound: the account is another's: its keys are not there for this issuer.
    """
    checked_account(account)
    checked_text(actor, field="actor")
    if issuer is None:
        return actor
    if not isinstance(issuer, Principal):
        raise InvalidRequest("issuer must be a Principal")
    issuer.require(scope)
    if issuer.account != account:
        raise no_such_key()
    return issuer.actor


def check_no_escalation(issuer: Principal | None, scopes: AbstractSet[str]) -> None:
    """Check that *issuer* has all of *scopes* itself.

    Raises:
        PermissionDenied: it has not (code ``scope_escalation``).
    """
    if issuer is not None and not scopes <= issuer.scopes:
        raise PermissionDenied(
            "a key can be made or changed within one's own account and scopes only",
            code="scope_escalation",
        )


def check_within(issuer: Principal | None, key: ApiKey) -> None:
    """Check that *key* can do nothing that *issuer* cannot, so that no token of it gives more.

    Raises:
        PermissionDenied: it can (code ``scope_escalation``).
    """
    check_no_escalation(issuer, key.scopes)


def no_such_key() -> NotFound:
    """Make the one answer for a key that is not there, or is another account's."""
    return NotFound("no such key", code="key_not_found")
