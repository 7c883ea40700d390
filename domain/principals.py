"""Who is calling."""

from attrs import field, frozen

from tollkeeper.domain.checks import checked_account, checked_scopes, checked_text
from tollkeeper.domain.errors import InvalidRequest, PermissionDenied
from tollkeeper.domain.key_limits import KeyLimit, Quota, checked_limits


def _checked_key_id(key_id: str) -> str:
    return checked_text(key_id, field="key_id")


def _check_quota(_: object, __: object, quota: Quota | None) -> None:
    if quota is not None and not isinstance(quota, Quota):
        raise InvalidRequest("a principal's quota is a Quota", code="invalid_quota")


@frozen
class Principal:
    """A caller: *account* pays, *scopes* say what may be done, *key_id* names the API key.

    *limits* and *quota* are the key's; calls count against them beside those of the account.
    A host that knows its user by other means builds one itself; its *key_id* is then empty.
    """

    account: str = field(converter=checked_account)
    scopes: frozenset[str] = field(converter=checked_scopes)
    key_id: str = field(default="", converter=_checked_key_id)
    limits: tuple[KeyLimit, ...] = field(default=(), converter=checked_limits)
    quota: Quota | None = field(default=None, validator=_check_quota)

    @property
    def actor(self) -> str:
        """Who the audit log says it was: the API key, or the account where there is none."""
        return f"key:{self.key_id}" if self.key_id else f"account:{self.account}"

    def require(self, scope: str) -> None:
        """Check that the principal has *scope*.

        Raises:
            PermissionDenied: it has not.
        """
        if scope not in self.scopes:
            raise PermissionDenied(f"this needs the scope {scope}", code="missing_scope")
