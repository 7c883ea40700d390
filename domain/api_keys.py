"""API keys: a logical key with one or two live secrets.

States go forward only: active → revoked, active → expired. Nothing revives a key, and rotation
never makes a secret live longer than it would have.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from attrs import evolve, field, frozen

from tollkeeper.domain.errors import Conflict, InvalidRequest, Unauthenticated
from tollkeeper.domain.key_tokens import refuse
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.secret import Secret

LONGEST_OVERLAP = timedelta(days=7)
"""How long a rotated secret may go on working."""


class KeyState(StrEnum):
    """Where a key stands at a given time."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@frozen
class KeySecret:
    """One secret of a key: what the store keeps of it, and when it works.

    It works from *not_before* until before *not_after* (for ever if None).
    """

    kid: str
    verifier: bytes = field(repr=False)
    pepper_id: str
    not_before: datetime
    not_after: datetime | None = None

    def works(self, at: datetime) -> bool:
        """Whether the secret is in its time at *at*."""
        return self.not_before <= at and (self.not_after is None or at < self.not_after)


@frozen
class ApiKey:
    """A logical key of *account*; limits, usage and audit hang on its *id*, not on a secret.

    *secrets* are newest first. *version* goes up with each change, for compare-and-swap.
    """

    id: str
    account: str
    name: str
    scopes: frozenset[str]
    prefix: str
    secrets: tuple[KeySecret, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    version: int = 1

    @property
    def display(self) -> str:
        """What may be shown of the newest secret."""
        return f"{self.prefix}_{self.secrets[0].kid[:4]}…"

    def state(self, at: datetime) -> KeyState:
        """Where the key stands at *at*; evaluated from the record each time, never cached."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        if self.expires_at is not None and self.expires_at <= at:
            return KeyState.EXPIRED
        return KeyState.ACTIVE

    def secret(self, kid: str) -> KeySecret | None:
        """The secret named *kid*, if it is this key's."""
        return next((secret for secret in self.secrets if secret.kid == kid), None)

    def admit(self, kid: str, *, at: datetime) -> Principal:
        """Let the holder of the secret *kid*, whose possession is proved, in.

        Raises:
            Unauthenticated: the key is revoked or expired, or the secret was rotated out.
        """
        state = self.state(at)
        if state is not KeyState.ACTIVE:
            raise Unauthenticated(f"the API key is {state}", code=f"key_{state}")
        secret = self.secret(kid)
        if secret is None:
            raise refuse()
        if not secret.works(at):
            raise Unauthenticated("the API key was rotated; use the new one", code="key_rotated")
        return Principal(account=self.account, scopes=self.scopes, key_id=self.id)

    def revoke(self, *, at: datetime) -> "ApiKey":
        """End the key for good; a revoked key stays as it is."""
        if self.revoked_at is not None:
            return self
        return evolve(self, revoked_at=at, version=self.version + 1)

    def rotate(self, new: KeySecret, *, at: datetime, overlap: timedelta) -> "ApiKey":
        """Add a secret; each older one works for *overlap* more at most, a third ends at once.

        Raises:
            Conflict: the key is not active.
            InvalidRequest: *overlap* is no timedelta between zero and seven days.
        """
        if self.state(at) is not KeyState.ACTIVE:
            raise Conflict(f"the key is {self.state(at)}", code="key_not_active")
        if not isinstance(overlap, timedelta) or not timedelta(0) <= overlap <= LONGEST_OVERLAP:
            raise InvalidRequest("overlap must be between 0 and 7 days", code="invalid_overlap")
        end = at + overlap
        previous = self.secrets[0]
        if previous.not_after is None or previous.not_after > end:
            previous = evolve(previous, not_after=end)
        return evolve(self, secrets=(new, previous), version=self.version + 1)


@frozen
class IssuedKey:
    """A key just made, and its *token*: the one time it can be read (``token.reveal()``)."""

    token: Secret
    key: ApiKey
