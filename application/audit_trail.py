"""Writing audit entries with the changes that they tell of, each chained to the one before."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar
from weakref import WeakValueDictionary

from attrs import define, field

from tollkeeper.domain.audit import AuditEntry, AuditKey, chained
from tollkeeper.domain.errors import Conflict
from tollkeeper.ports.audit_log import AuditLog
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.identifiers import Identifiers

T = TypeVar("T")
MOVED = "audit_moved"
"""The code of the Conflict that says: somebody else's entry came first."""
_TRIES = 50


@define(eq=False)
class AuditTrail:
    """Makes the entry that goes with a change, behind the account's last one.

    The place in the chain is read before the change and checked in it: if another process was
    faster, the change is refused as a whole, and tried again behind that one's entry.
    """

    audit_log: AuditLog
    clock: Clock
    identifiers: Identifiers
    keys: tuple[AuditKey, ...] = field(repr=False)
    """The current one first; the others still prove what they once chained."""
    _turns: "WeakValueDictionary[str, asyncio.Lock]" = field(
        factory=WeakValueDictionary, init=False, repr=False
    )

    async def record(
        self,
        change: Callable[[AuditEntry], Awaitable[T]],
        *,
        account: str,
        actor: str,
        action: str,
        subject: str,
        details: Mapping[str, str] | None = None,
    ) -> T:
        """Make *change* with its entry, and return what it returns.

        Raises:
            Conflict: others wrote entries of this account all the time (code ``audit_moved``);
                nothing was changed. Whatever else *change* raises goes out.
        """
        turn = self._turns.get(account)
        if turn is None:
            turn = self._turns[account] = asyncio.Lock()
        async with turn:  # those of one process need not outrun each other
            for attempt in range(1, _TRIES + 1):
                head = await self.audit_log.head(account)
                entry = AuditEntry(
                    id=self.identifiers.new("audit"),
                    at=self.clock.now(),
                    account=account,
                    actor=actor,
                    action=action,
                    subject=subject,
                    details=dict(details or {}),
                )
                try:
                    return await change(chained(entry, head, self.keys[0]))
                except Conflict as error:
                    if error.code != MOVED or attempt == _TRIES:
                        raise
        raise AssertionError("the last try returns or raises")
