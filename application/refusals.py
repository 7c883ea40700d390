"""Counting refused callers: exactly, and in few audit entries, whatever the flood."""

import asyncio
from collections import Counter
from collections.abc import Mapping

from attrs import define, field

from tollkeeper.application.audit_trail import AuditTrail
from tollkeeper.application.manage_plans import EVERYONE
from tollkeeper.domain.errors import TollkeeperError

TAMPERED = "tampered"
"""The reason of a refusal that somebody should hear of: the store was written to by another."""
_ACTOR = "unauthenticated"
_MOST_ACCOUNTS = 100
_MOST_KEYS = 100


@define(eq=False)
class Refusals:
    """Counts refusals by reason, and by account where a key of it was shown.

    What was counted goes to the audit log at each :meth:`write`: one entry for each account, for
    at most 100 accounts, and one under ``*`` for the rest.
    """

    trail: AuditTrail
    totals: Counter[str] = field(factory=Counter, init=False)
    """By reason, since the process began."""
    alarm: asyncio.Event = field(factory=asyncio.Event, init=False, repr=False)
    """Set when what was counted should be written at once."""
    _of_accounts: "dict[str, Counter[str]]" = field(factory=dict, init=False, repr=False)
    _known: Counter[str] = field(factory=Counter, init=False, repr=False)
    """Of the totals, those that are counted by account."""
    _written: Counter[str] = field(factory=Counter, init=False, repr=False)
    """Of the others, those that are written."""

    def note(self, reason: str, *, account: str = "", key_id: str = "") -> None:
        """Count a refusal; with *account* and *key_id* if the token was proved or tampered with."""
        self.totals[reason] += 1
        if not account:
            return  # told by the totals, so that a flood costs one addition each
        if reason == TAMPERED:
            self.alarm.set()
        self._count(account, f"{reason} {key_id}" if key_id else reason, 1)

    async def write(self) -> None:
        """Write one audit entry for each account that has refusals since the last time.

        What cannot be written now is counted on, and written the next time.
        """
        self.alarm.clear()
        waiting, self._of_accounts = self._of_accounts, {}
        for account, counted in waiting.items():
            try:
                await self._write(account, counted)
            except TollkeeperError:
                for name, count in counted.items():
                    self._known[_reason_of(name)] -= count
                    self._count(account, name, count)
        anonymous = self.totals - self._known - self._written
        if anonymous:
            try:
                await self._write(EVERYONE, anonymous)
            except TollkeeperError:
                return
            self._written += anonymous

    def _count(self, account: str, name: str, count: int) -> None:
        """Count a reason, with a key's name or without, for an account, if it is not one too many.

        Else it is one of the rest.
        """
        if account not in self._of_accounts and len(self._of_accounts) >= _MOST_ACCOUNTS:
            return
        counted = self._of_accounts.setdefault(account, Counter())
        reason = _reason_of(name)
        counted[name if name in counted or len(counted) < _MOST_KEYS else reason] += count
        self._known[reason] += count

    async def _write(self, account: str, counted: Mapping[str, int]) -> None:
        tampered = any(reason.startswith(TAMPERED) for reason in counted)
        await self.trail.record(
            self.trail.audit_log.append,
            account=account,
            actor=_ACTOR,
            action="key.tampered" if tampered else "key.refused",
            subject="api_keys",
            details={reason: str(count) for reason, count in sorted(counted.items())},
        )


def _reason_of(name: str) -> str:
    return name.partition(" ")[0]
