"""Seal keys that have no seal yet, and seal anew what is sealed under a retired pepper."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime

from attrs import evolve, field, frozen

from tollkeeper.application.audit_trail import MOVED, AuditTrail
from tollkeeper.application.key_minting import KeyMint
from tollkeeper.application.key_news import KeyNews
from tollkeeper.domain.api_keys import ApiKey, KeyState
from tollkeeper.domain.checks import checked_text
from tollkeeper.domain.errors import Conflict, NotFound
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.key_store import KeyStore

_PAGE = 200


@frozen
class SealReport:
    """What became of the keys: how many were looked at, sealed, and left alone, and why."""

    keys: int = 0
    sealed: int = 0
    """Had no seal, and have one now."""
    renewed: int = 0
    """Were sealed under a retired pepper, and are now under the current one."""
    tampered: tuple[str, ...] = ()
    """Ids of keys whose record is not as it was sealed, or whose pepper is not known."""
    under: dict[str, int] = field(factory=dict)
    """How many secrets that work, or may again, hang on which pepper; no key needs others."""
    missing: tuple[str, ...] = ()
    """The peppers among these that are not known, so that their secrets are refused."""


@frozen
class SealKeys:
    """Go through all keys; may be broken off and run again at any time.

    A key without a seal is from before keys were sealed, or somebody took its seal away: only
    whoever runs the service can know, so that this is no use case of callers.
    """

    key_store: KeyStore
    mint: KeyMint
    trail: AuditTrail
    news: KeyNews
    clock: Clock

    async def __call__(
        self,
        *,
        unsealed: bool = False,
        actor: str = "host",
        progress: Callable[[int], None] | None = None,
    ) -> SealReport:
        """Seal what is sealed under a retired pepper anew; also what has no seal, if *unsealed*.

        *progress* hears how many keys were looked at.
        """
        checked_text(actor, field="actor")
        report, under, after = SealReport(), Counter[str](), None
        while keys := await self.key_store.page(after=after, limit=_PAGE):
            for key in keys:
                report = await self._seal(key, report, unsealed=unsealed, actor=actor)
                under.update(_needed(key, self.clock.now()))
            after = keys[-1].id
            if progress is not None:
                progress(report.keys)
        missing = [each for each in under if await self.mint.peppers.find(each) is None]
        return evolve(report, under=dict(under), missing=tuple(sorted(missing)))

    async def _seal(
        self, key: ApiKey, report: SealReport, *, unsealed: bool, actor: str
    ) -> SealReport:
        report = evolve(report, keys=report.keys + 1)
        current = self.mint.peppers.current().id
        if key.seal is None:
            if not unsealed:
                return evolve(report, tampered=(*report.tampered, key.id))
        elif not self.mint.is_intact(key):
            return evolve(report, tampered=(*report.tampered, key.id))
        elif key.seal.pepper_id == current:
            return report
        sealed = self.mint.seal(evolve(key, version=key.version + 1))
        try:
            await self.trail.record(
                lambda audit: self.key_store.replace(sealed, audit=audit),
                account=key.account,
                actor=actor,
                action="key.sealed",
                subject=key.id,
                details={"pepper": current},
            )
        except NotFound:
            return report
        except Conflict as error:
            if error.code == MOVED:
                raise
            return report  # somebody changed it just now, and by that sealed it
        await self.news.changed(key, sealed)
        if key.seal is None:
            return evolve(report, sealed=report.sealed + 1)
        return evolve(report, renewed=report.renewed + 1)


def _needed(key: ApiKey, now: datetime) -> Iterator[str]:
    """Go through the peppers of the secrets whose time is not over: what ended moves nowhere."""
    if key.state(now) in (KeyState.ACTIVE, KeyState.DISABLED):
        for secret in key.secrets:
            if secret.not_after is None or now < secret.not_after:
                yield secret.pepper_id
