"""List an account's API keys."""

from attrs import frozen

from tollkeeper.application.key_authority import READ, checked_issuer
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.checks import checked_limit
from tollkeeper.domain.principals import Principal
from tollkeeper.ports.key_store import KeyStore


@frozen
class ListKeys:
    """Show an account's keys: their names, scopes and states, never their tokens."""

    key_store: KeyStore

    async def __call__(
        self,
        *,
        account: str,
        limit: int = 100,
        after: str | None = None,
        issuer: Principal | None = None,
    ) -> tuple[ApiKey, ...]:
        """Return at most *limit* keys, oldest first; *after* is the last id of the page before.

        An *issuer* needs the scope ``keys:read``.

        Raises:
            InvalidRequest: an argument is malformed.
            NotFound: *after* is no key of the account, or *issuer* is of another account.
            PermissionDenied: *issuer* may not see keys.
        """
        checked_issuer(issuer, account=account, scope=READ)
        return await self.key_store.list(account=account, limit=checked_limit(limit), after=after)
