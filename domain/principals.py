"""Who is calling."""

from attrs import field, frozen

from tollkeeper.domain.checks import checked_account, checked_scopes
from tollkeeper.domain.errors import PermissionDenied


@frozen
class Principal:
    """A caller: *account* pays, *scopes* say what may be done, *key_id* names the API key.

    A host that knows its user by other means builds one itself; its *key_id* is then empty.
    """

    account: str = field(converter=checked_account)
    scopes: frozenset[str] = field(converter=checked_scopes)
    key_id: str = ""

    def require(self, scope: str) -> None:
        """Check that the principal has *scope*.

        Raises:
            PermissionDenied: it has not.
        """
        if scope not in self.scopes:
            raise PermissionDenied(f"this needs the scope {scope}", code="missing_scope")
