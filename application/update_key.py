"""Change what an API key may do, and what is said of it."""

from datetime import datetime
from typing import Unpack

from attrs import frozen

from tollkeeper.application.key_authority import check_no_escalation, check_within
from tollkeeper.application.key_changes import KeyChanges
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.key_profiles import KeyProfile, checked_profile, profile_details
from tollkeeper.domain.principals import Principal


@frozen
class UpdateKey:
    """Change an account's key; its token stays."""

    key_changes: KeyChanges

    async def __call__(
        self,
        *,
        account: str,
        key_id: str,
        issuer: Principal | None = None,
        actor: str = "host",
        **profile: Unpack[KeyProfile],
    ) -> ApiKey:
        """Give the key what *profile* says and leave the rest; from then on it holds everywhere.

        An *issuer* needs the scope ``keys:write``, and can neither change a key that may do more
        than itself nor give one more than it has.

        Raises:
            NotFound: the account has no such key, or *issuer* is of another account.
            PermissionDenied: the issuer may not.
            Conflict: the key is revoked or expired, or its record was tampered with.
            InvalidRequest: an argument is malformed.
        """
        chosen = checked_profile(profile)

        def change(key: ApiKey, now: datetime) -> ApiKey:
            check_within(issuer, key)
            check_no_escalation(issuer, chosen.get("scopes", frozenset()))
            end = chosen.get("expires_at")
            if end is not None and end <= now and end != key.expires_at:
                raise InvalidRequest("expires_at must lie ahead; to end a key now, revoke it")
            return key.update(chosen, at=now)

        return await self.key_changes.apply(
            account=account,
            key_id=key_id,
            issuer=issuer,
            actor=actor,
            action="key.updated",
            change=change,
            details=profile_details,
        )
