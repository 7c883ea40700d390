"""Histories of keys, drawn at random and compared with a model, on a store of any kind.

Two facades share the store: one that knows keys for a while and makes all the changes, and one that
knows none. What one of them says must at any time be what the model says.
"""

import uuid
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Protocol

from attrs import define, field
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from tests.application.world import settings_in
from tollkeeper import IssuedKey, Secret, open_tollkeeper_sync
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.domain.errors import Conflict, NotFound, PermissionDenied, Unauthenticated
from tollkeeper.infra.sync_facade import SyncTollkeeper

SECOND = timedelta(seconds=1)
INSIDE, OUTSIDE = "203.0.113.7", "198.51.100.7"
_durations = st.sampled_from([SECOND, 10 * SECOND, 60 * SECOND, 3600 * SECOND])
_scopes = st.sets(st.sampled_from(["chat:complete", "mail:send", "keys:read"]), min_size=1)


class Shared(Protocol):
    """What makes the arguments of a facade on one store, the same for all facades of a run."""

    def __call__(self) -> tuple[str, dict[str, Any]]:
        """Return the URL of the store, and what is lent."""


@define
class SecretModel:
    token: Secret
    starts: datetime
    ends: datetime | None = None
    ended_for: set[int] = field(factory=set)
    """The facades that saw its time to be over."""


@define
class KeyModel:
    """One key, as plainly as it can be written down."""

    id: str
    scopes: set[str]
    bound: bool
    expires: datetime | None
    secrets: list[SecretModel]
    gone_secrets: list[SecretModel] = field(factory=list)
    revoked: bool = False
    disabled: bool = False
    deleted: bool = False

    def lives(self, now: datetime) -> bool:
        """Whether it may be changed."""
        return not (self.deleted or self.revoked or (self.expires and self.expires <= now))

    def admits(self, secret: SecretModel, now: datetime, address: str, facade: int) -> bool:
        """Whether the secret lets its holder in."""
        if not self.lives(now) or self.disabled or secret not in self.secrets:
            return False
        in_time = secret.starts <= now and (secret.ends is None or now < secret.ends)
        return in_time and facade not in secret.ended_for and (address == INSIDE or not self.bound)


class KeyHistories(RuleBasedStateMachine):
    """Issue, rotate, revoke, disable, enable, update, delete; clocks that go either way."""

    shared: ClassVar[Shared]
    keys = Bundle("keys")

    @initialize()
    def open(self) -> None:
        self.stack = ExitStack()
        self.clock = MemoryClock()
        self.account = f"acme-{uuid.uuid4().hex}"  # the store is that of all examples
        folder = Path(self.stack.enter_context(TemporaryDirectory()))
        store, lent = type(self).shared()
        ttls = (30 * SECOND, timedelta(0))
        self.facades: list[SyncTollkeeper] = [
            self.stack.enter_context(
                open_tollkeeper_sync(
                    settings_in(folder, store=store, key_cache_ttl=ttl), clock=self.clock, **lent
                )
            )
            for ttl in ttls
        ]
        self.tk = self.facades[0]
        self.models: list[KeyModel] = []

    def teardown(self) -> None:
        self.stack.close()

    @rule(target=keys, scopes=_scopes, lives=st.none() | _durations, bound=st.booleans())
    def issue(self, scopes: set[str], lives: timedelta | None, bound: bool) -> KeyModel:
        networks = [f"{INSIDE}/32"] if bound else []
        issued = self.tk.issue_key(
            account=self.account, scopes=scopes, expires_in=lives, networks=networks
        )
        now = self.clock.now()
        model = KeyModel(
            issued.key.id,
            scopes,
            bound,
            now + lives if lives else None,
            [SecretModel(issued.token, now)],
        )
        self.models.append(model)
        return model

    @rule(key=keys, overlap=st.sampled_from([timedelta(0), *[n * SECOND for n in (5, 60, 86400)]]))
    def rotate(self, key: KeyModel, overlap: timedelta) -> None:
        now = self.clock.now()
        done = self._change(key, lambda: self.tk.rotate_key(**self._names(key), overlap=overlap))
        if not self._expected(done, key, may=key.lives(now) and not key.disabled):
            return
        issued: IssuedKey = done
        former = key.secrets[0]
        former.ends = min(former.ends or now + overlap, now + overlap)
        key.gone_secrets += key.secrets[1:]
        key.secrets = [SecretModel(issued.token, now), former]

    @rule(key=keys)
    def revoke(self, key: KeyModel) -> None:
        done = self._change(key, lambda: self.tk.revoke_key(**self._names(key)))
        if self._expected(done, key, may=not key.deleted):
            key.revoked = True

    @rule(key=keys)
    def disable(self, key: KeyModel) -> None:
        done = self._change(key, lambda: self.tk.disable_key(**self._names(key)))
        if self._expected(done, key, may=key.lives(self.clock.now())):
            key.disabled = True

    @rule(key=keys)
    def enable(self, key: KeyModel) -> None:
        done = self._change(key, lambda: self.tk.enable_key(**self._names(key)))
        if self._expected(done, key, may=key.lives(self.clock.now())):
            key.disabled = False

    @rule(key=keys, scopes=_scopes, lives=st.none() | _durations)
    def update(self, key: KeyModel, scopes: set[str], lives: timedelta | None) -> None:
        end = self.clock.now() + lives if lives else None
        done = self._change(
            key, lambda: self.tk.update_key(**self._names(key), scopes=scopes, expires_at=end)
        )
        if self._expected(done, key, may=key.lives(self.clock.now())):
            key.scopes, key.expires = scopes, end

    @rule(key=consumes(keys))
    def delete(self, key: KeyModel) -> None:
        done = self._change(key, lambda: self.tk.delete_key(**self._names(key)))
        if self._expected(done, key, may=not key.deleted):
            key.deleted = True

    @rule(by=st.sampled_from([SECOND, 4 * SECOND, 30 * SECOND, 3600 * SECOND, -2 * SECOND]))
    def time_passes(self, by: timedelta) -> None:
        self.clock.advance(by)

    @rule(
        which=st.integers(0, 10**6),
        facade=st.sampled_from([0, 1]),
        address=st.sampled_from([INSIDE, OUTSIDE]),
    )
    def authenticate(self, which: int, facade: int, address: str) -> None:
        every = [(key, each) for key in self.models for each in (*key.secrets, *key.gone_secrets)]
        if not every:
            return
        key, secret = every[which % len(every)]
        now, admitted = self.clock.now(), None
        expected = key.admits(secret, now, address, facade)
        try:
            admitted = self.facades[facade].authenticate_key(secret.token, client_address=address)
        except (Unauthenticated, PermissionDenied) as refused:
            if refused.code in ("key_expired", "key_rotated") and secret.starts <= now:
                secret.ended_for.add(facade)
        assert (admitted is not None) is expected
        if admitted is not None:
            assert (admitted.key_id, set(admitted.scopes)) == (key.id, key.scopes)

    @invariant()
    def nothing_lives_longer(self) -> None:
        """The end of a secret never moves away (T9)."""
        kept = {each.id: each for each in self.tk.list_keys(account=self.account, limit=1000)}
        assert kept.keys() == {each.id for each in self.models if not each.deleted}
        for model in self.models:
            if model.deleted:
                continue
            found = kept[model.id]
            assert [each.not_after for each in found.secrets] == [e.ends for e in model.secrets]
            assert found.scopes == model.scopes

    @rule()
    def audit_holds(self) -> None:
        check = self.tk.verify_audit(account=self.account)
        assert check.ok
        assert check.state.unchained == 0

    def _names(self, key: KeyModel) -> dict[str, Any]:
        return {"account": self.account, "key_id": key.id}

    def _change(self, key: KeyModel, change: Any) -> Any:
        try:
            return change()
        except (Conflict, NotFound) as refused:
            return refused

    def _expected(self, done: Any, key: KeyModel, *, may: bool) -> bool:
        refused = isinstance(done, Conflict | NotFound)
        assert refused is not may, done
        return not refused


def key_histories(shared: Shared, *, examples: int, steps: int = 30) -> type[RuleBasedStateMachine]:
    """Make the machine for stores that *shared* names, one for each example."""

    class Machine(KeyHistories):
        pass

    Machine.shared = staticmethod(shared)
    Machine.TestCase.settings = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    return Machine
