"""Who is calling."""

from attrs import field, frozen

from tollkeeper.domain.checks import checked_account, checked_scopes, checked_text
from tollkeeper.domain.errors import PermissionDenied


def _checked_key_id(key_id: str) -> str:
    return checked_text(key_id, field="key_id")


@frozen
class Principal:
    """A caller: *account* pays, *scopes* say what may be done, *key_id* names the API key.

    A host that knows its user by other means builds one itself; its *key_id* is then empty.
    """

    account: str = field(converter=checked_account)
    scopes: frozenset[str] = field(converter=checked_scopes)
    key_id: str = field(default="", converter=_checked_key_id)

    def require(self, scope: str) -> None:
        """Check that the principal has *scope*.

        Raises:
            PermissionDenied: it has not.
        """
        if scope not in self.scopes:
            raise PermissionDenied(f"this needs the scope {scope}", code="missing_scope")
