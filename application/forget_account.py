"""Forget what an account entrusted to us: its credentials, and the keys that opened them."""

from attrs import frozen

from tollkeeper.application.audit_trail import AuditTrail
from tollkeeper.application.data_key_news import DataKeyNews
from tollkeeper.domain.checks import checked_account, checked_text
from tollkeeper.ports.credential_store import CredentialStore


@frozen
class ForgetAccount:
    """Destroy an account's data keys, so that no copy of its values can ever be read again.

    Its API keys, ledger, usage and audit log stay: revoke the first, keep the others.
    """

    credential_store: CredentialStore
    news: DataKeyNews
    trail: AuditTrail

    async def __call__(self, *, account: str, actor: str = "host") -> int:
        """Take all credentials away and destroy all data keys, in one step; say how many went.

        Every process hears of it by the broadcast, and closes the account's data keys. One that
        cannot hear may read for five more minutes what it still holds in memory. An account that
        comes back gets new data keys.

        Raises:
            InvalidRequest: an argument is malformed.
            PortError: nothing was taken away; if ``ambiguous``, perhaps all of it.
        """
        checked_account(account)
        checked_text(actor, field="actor")
        count = await self.trail.record(
            lambda audit: self.credential_store.forget(account, audit=audit),
            account=account,
            actor=actor,
            action="account.forgotten",
            subject=account,
        )
        await self.news.tell(account)
        return count
