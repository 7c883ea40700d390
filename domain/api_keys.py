"""API keys: a logical key with one or two live secrets.

States go forward only: active → revoked, active → expired. Nothing revives a key, and rotation
never makes a secret live longer than it would have. Disabled is no state but a switch, which can
be turned back.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from attrs import evolve, field, frozen

from tollkeeper.domain.errors import Conflict, InvalidRequest, PermissionDenied, Unauthenticated
from tollkeeper.domain.key_limits import KeyLimit, Network, Quota, is_within
from tollkeeper.domain.key_tokens import refuse
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.read_only import made_anew, read_only
from tollkeeper.domain.secret import Secret

LONGEST_OVERLAP = timedelta(days=7)
"""How long a rotated secret may go on working."""


class KeyState(StrEnum):
    """Where a key stands at a given time."""

    ACTIVE = "active"
    DISABLED = "disabled"
    EXPIRED = "expired"
    REVOKED = "revoked"


def _own(metadata: Mapping[str, str]) -> Mapping[str, str]:
    return read_only(metadata)


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
class KeySeal:
    """What shows that a key's record was written by Tollkeeper: a MAC over all of its fields.

    *pepper_id* names the pepper from which the MAC's key was derived.
    """

    pepper_id: str
    mac: bytes = field(repr=False)


@frozen
class ApiKey:
    """A logical key of *account*; limits, quota, usage and audit hang on its *id*, not on a secret.

    *secrets* are newest first. *version* goes up with each change, for compare-and-swap. The key
    works from *networks* alone (from everywhere if there are none), within *limits* and *quota*.
    *metadata* is the host's own. *seal* is None for a key from before keys were sealed.
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
    description: str = ""
    disabled_at: datetime | None = None
    limits: tuple[KeyLimit, ...] = ()
    quota: Quota | None = None
    networks: tuple[Network, ...] = ()
    metadata: Mapping[str, str] = field(factory=dict, converter=_own)
    seal: KeySeal | None = None

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
        return KeyState.ACTIVE if self.disabled_at is None else KeyState.DISABLED

    def secret(self, kid: str) -> KeySecret | None:
        """The secret named *kid*, if it is this key's."""
        return next((secret for secret in self.secrets if secret.kid == kid), None)

    def admit(self, kid: str, *, at: datetime, address: str | None = None) -> Principal:
        """Let the holder of the secret *kid*, whose possession is proved, in.

        *address* is where the holder calls from, if that is known.

        Raises:
            Unauthenticated: the key is revoked, expired or disabled, or the secret was rotated
                out.
            PermissionDenied: the key does not work from *address*.
        """
        state = self.state(at)
        if state is not KeyState.ACTIVE:
            raise Unauthenticated(f"the API key is {state}", code=f"key_{state}")
        secret = self.secret(kid)
        if secret is None:
            raise refuse()
        if not secret.works(at):
            raise Unauthenticated("the API key was rotated; use the new one", code="key_rotated")
        if self.networks and not is_within(address, self.networks):
            raise PermissionDenied(
                "the API key does not work from this address", code="address_not_allowed"
            )
        return self.principal

    @property
    def principal(self) -> Principal:
        """Whom the key stands for."""
        return Principal(
            account=self.account,
            scopes=self.scopes,
            key_id=self.id,
            limits=self.limits,
            quota=self.quota,
        )

    def revoke(self, *, at: datetime) -> "ApiKey":
        """End the key for good; a revoked key stays as it is."""
        if self.revoked_at is not None:
            return self
        return evolve(self, revoked_at=at, version=self.version + 1)

    def disable(self, *, at: datetime) -> "ApiKey":
        """Let the key rest until it is enabled; a key that rests stays as it is.

        Raises:
            Conflict: the key is revoked or expired.
        """
        self._require_living(at)
        if self.disabled_at is not None:
            return self
        return evolve(self, disabled_at=at, version=self.version + 1)

    def enable(self, *, at: datetime) -> "ApiKey":
        """Let the key work again; a key that does stays as it is.

        Raises:
            Conflict: the key is revoked or expired.
        """
        self._require_living(at)
        if self.disabled_at is None:
            return self
        return evolve(self, disabled_at=None, version=self.version + 1)

    def update(self, changes: Mapping[str, object], *, at: datetime) -> "ApiKey":
        """Put *changes*, fields and their checked values, in; without any the key stays as it is.

        Raises:
            Conflict: the key is revoked or expired.
        """
        self._require_living(at)
        new = {name: value for name, value in changes.items() if getattr(self, name) != value}
        return evolve(self, **new, version=self.version + 1) if new else self  # type: ignore[arg-type]  # the fields' own converters check them

    def _require_living(self, at: datetime) -> None:
        state = self.state(at)
        if state in (KeyState.REVOKED, KeyState.EXPIRED):
            raise Conflict(f"the key is {state}", code="key_not_active")

    def __reduce__(self) -> tuple[object, ...]:
        return made_anew(self)

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
