"""Issue an API key."""

from collections.abc import Set as AbstractSet
from datetime import timedelta

from attrs import frozen

from tollkeeper.application.key_minting import KeyMint
from tollkeeper.domain.api_keys import ApiKey, IssuedKey
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.checks import (
    checked_account,
    checked_duration,
    checked_scopes,
    checked_text,
)
from tollkeeper.domain.errors import InvalidRequest, PermissionDenied
from tollkeeper.domain.principals import Principal
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.key_store import KeyStore


@frozen
class IssueKey:
    """Make a key for an account; the answer is the only place where its token can be read."""

    key_store: KeyStore
    mint: KeyMint
    clock: Clock
    identifiers: Identifiers

    async def __call__(
        self,
        *,
        account: str,
        scopes: AbstractSet[str],
        name: str = "",
        expires_in: timedelta | None = None,
        issuer: Principal | None = None,
        actor: str = "host",
    ) -> IssuedKey:
        """Make a key with *scopes* that expires after *expires_in* (never if None).

        With an *issuer* (a caller who makes keys for itself), the key is for the issuer's own
        account and has no scope that the issuer lacks.

        Raises:
            InvalidRequest: an argument is malformed.
            PermissionDenied: the key would do more than its issuer may.
            PortError: the key was not made; ``ambiguous``: or its token is lost.
        """
        checked_account(account)
        wanted = checked_scopes(scopes)
        checked_text(name, field="name")
        checked_text(actor, field="actor")
        if expires_in is not None:
            checked_duration(expires_in, field="expires_in", shortest=timedelta(seconds=1))
        if issuer is not None:
            if not isinstance(issuer, Principal):
                raise InvalidRequest("issuer must be a Principal")
            actor = f"key:{issuer.key_id}"
            if issuer.account != account or not wanted <= issuer.scopes:
                raise PermissionDenied(
                    "a key can be made for one's own account and scopes only",
                    code="scope_escalation",
                )
        now = self.clock.now()
        token, secret = self.mint.make_secret(now)
        key = ApiKey(
            id=self.identifiers.new("key"),
            account=account,
            name=name,
            scopes=wanted,
            prefix=self.mint.prefix,
            secrets=(secret,),
            created_at=now,
            expires_at=None if expires_in is None else now + expires_in,
        )
        details = {"scopes": " ".join(sorted(wanted)), "display": key.display}
        audit = AuditEntry(
            id=self.identifiers.new("audit"),
            at=now,
            account=account,
            actor=actor,
            action="key.issued",
            subject=key.id,
            details=details,
        )
        await self.key_store.add(key, audit=audit)
        return IssuedKey(token=token, key=key)
