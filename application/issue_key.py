"""Issue an API key."""

from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Unpack

from attrs import frozen

from tollkeeper.application.audit_trail import AuditTrail
from tollkeeper.application.key_authority import WRITE, check_no_escalation
from tollkeeper.application.key_minting import KeyMint
from tollkeeper.application.key_news import KeyNews
from tollkeeper.domain.api_keys import ApiKey, IssuedKey
from tollkeeper.domain.checks import checked_account, checked_duration, checked_text
from tollkeeper.domain.errors import InvalidRequest, PermissionDenied
from tollkeeper.domain.key_profiles import KeyProfile, checked_profile, profile_details
from tollkeeper.domain.principals import Principal
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.key_store import KeyStore


@frozen
class IssueKey:
    """Make a key for an account; the answer is the only place where its token can be read."""

    key_store: KeyStore
    mint: KeyMint
    trail: AuditTrail
    clock: Clock
    identifiers: Identifiers
    news: KeyNews

    async def __call__(
        self,
        *,
        account: str,
        expires_in: timedelta | None = None,
        issuer: Principal | None = None,
        actor: str = "host",
        **profile: Unpack[KeyProfile],
    ) -> IssuedKey:
        """Make a key as *profile* says, ``scopes`` at least; it ends after *expires_in*, if given.

        With an *issuer* (a caller who makes keys for itself, and has the scope ``keys:write``), the
        key is for the issuer's own account and has no scope that the issuer lacks.

        Raises:
            InvalidRequest: an argument is malformed, or both an end and a duration are given.
            PermissionDenied: the issuer may make no keys, or the key would do more than it may.
            PortError: the key was not made; ``ambiguous``: or its token is lost.
        """
        checked_account(account)
        checked_text(actor, field="actor")
        chosen = checked_profile({"scopes": (), **profile})
        if expires_in is not None:
            checked_duration(expires_in, field="expires_in", shortest=timedelta(seconds=1))
            if chosen.get("expires_at") is not None:
                raise InvalidRequest("give expires_at or expires_in, not both")
        actor = self._actor(issuer, account, chosen["scopes"], actor)
        now = self.clock.now()
        if expires_in is not None:
            chosen["expires_at"] = now + expires_in
        if chosen.get("expires_at") is not None and chosen["expires_at"] <= now:
            raise InvalidRequest("expires_at must lie ahead")
        token, secret = self.mint.make_secret(now)
        made = ApiKey(
            id=self.identifiers.new("key"),
            account=account,
            **{"name": "", **chosen},
            prefix=self.mint.prefix,
            secrets=(secret,),
            created_at=now,
        )
        key = self.mint.seal(made)
        await self.trail.record(
            lambda audit: self.key_store.add(key, audit=audit),
            account=account,
            actor=actor,
            action="key.issued",
            subject=key.id,
            details={**profile_details(None, key), "display": key.display},
        )
        await self.news.changed(key)
        return IssuedKey(token=token, key=key)

    def _actor(
        self, issuer: Principal | None, account: str, wanted: AbstractSet[str], actor: str
    ) -> str:
        if issuer is None:
            return actor
        if not isinstance(issuer, Principal):
            raise InvalidRequest("issuer must be a Principal")
        if issuer.account != account:
            raise PermissionDenied(
                "a key can be made for one's own account only", code="scope_escalation"
            )
        issuer.require(WRITE)
        check_no_escalation(issuer, wanted)
        return issuer.actor
