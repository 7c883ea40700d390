"""List an account's API keys."""

from attrs import frozen

from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.checks import checked_account, checked_limit
from tollkeeper.ports.key_store import KeyStore


@frozen
class ListKeys:
    """Show an account's keys: their names, scopes and states, never their tokens."""

    key_store: KeyStore

    async def __call__(
        self, *, account: str, limit: int = 100, after: str | None = None
    ) -> tuple[ApiKey, ...]:
        """Return at most *limit* keys, oldest first; *after* is the last id of the page before.

        Raises:
            InvalidRequest: an argument is malformed.
            NotFound: *after* is no key of the account.
        """
        checked_account(account)
        return await self.key_store.list(account=account, limit=checked_limit(limit), after=after)
