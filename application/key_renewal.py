"""Putting keys under the current pepper, one by one, as their tokens are shown."""

from attrs import frozen

from tollkeeper.application.audit_trail import AuditTrail
from tollkeeper.application.key_minting import KeyMint
from tollkeeper.application.key_news import KeyNews
from tollkeeper.application.known_keys import Known
from tollkeeper.domain.errors import Conflict, NotFound, PortError
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.key_store import KeyStore

_ACTOR = "tollkeeper"


@frozen
class KeyRenewal:
    """Makes the verifier of a secret under a retired pepper anew, which only its token allows."""

    key_store: KeyStore
    mint: KeyMint
    trail: AuditTrail
    news: KeyNews

    async def renew(self, known: Known, token: Secret) -> None:
        """Put the secret of *known*, whose *token* was proved, under the current pepper.

        Where that fails, or somebody changes the key at the same time, it stays as it is: the
        retired pepper still serves, and the next caller tries again.
        """
        if known.pepper.id == self.mint.peppers.current().id:
            return
        key = known.key
        renewed = self.mint.seal(self.mint.renewed(key, known.secret.kid, token.reveal()))
        try:
            await self.trail.record(
                lambda audit: self.key_store.replace(renewed, audit=audit),
                account=key.account,
                actor=_ACTOR,
                action="key.renewed",
                subject=key.id,
                details={"pepper": self.mint.peppers.current().id},
            )
        except (Conflict, NotFound, PortError):
            return
        await self.news.changed(key, renewed)
