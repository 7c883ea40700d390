"""What the memory adapters share: plain collections, gone with the process."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from attrs import define, evolve, field

from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.credentials import StoredCredential
from tollkeeper.domain.encryption import DataKey
from tollkeeper.domain.errors import Conflict, IdempotencyConflict
from tollkeeper.domain.key_limits import QuotaPeriod
from tollkeeper.domain.ledger import Balance, Entry, Hold
from tollkeeper.domain.money import Money
from tollkeeper.domain.plans import Plan, Subscription
from tollkeeper.domain.usage import UsageEvent

Purse = tuple[str, str]
"""An account and a currency."""


@define
class MemoryDatabase:
    """All that a :class:`~tollkeeper.adapters.memory.store.MemoryStore` holds.

    The adapters change it without an ``await`` in between, and only when nothing can fail any
    more: that alone makes each of their methods atomic.
    """

    keys: dict[str, ApiKey] = field(factory=dict)
    key_of_kid: dict[str, str] = field(factory=dict)
    audit: defaultdict[str, list[AuditEntry]] = field(factory=lambda: defaultdict(list))
    audit_ids: set[str] = field(factory=set)
    plans: dict[str, Plan] = field(factory=dict)
    subscriptions: dict[str, Subscription] = field(factory=dict)
    balances: dict[Purse, Balance] = field(factory=dict)
    entries: defaultdict[Purse, list[Entry]] = field(factory=lambda: defaultdict(list))
    grants: dict[tuple[str, str], Entry] = field(factory=dict)
    """By account and idempotency key."""
    holds: dict[str, Hold] = field(factory=dict)
    hold_of_key: dict[tuple[str, str], str] = field(factory=dict)
    """By account and idempotency key."""
    open_holds: defaultdict[Purse, dict[str, Hold]] = field(factory=lambda: defaultdict(dict))
    soonest: dict[Purse, datetime] = field(factory=dict)
    """No hold of the purse expires before; it may be of one that is resolved."""
    captures: dict[str, tuple[Entry, dict[str, UsageEvent]]] = field(factory=dict)
    """By hold: the entry, and the usage logged with it."""
    usage: defaultdict[str, dict[str, UsageEvent]] = field(factory=lambda: defaultdict(dict))
    """By account and event id."""
    owner_of_event: dict[str, str] = field(factory=dict)
    attempts: dict[str, Attempt] = field(factory=dict)
    attempts_of: defaultdict[str, list[Attempt]] = field(factory=lambda: defaultdict(list))
    """By account, as they came."""
    quota_uses: dict[tuple[str, QuotaPeriod, datetime], int] = field(factory=dict)
    """By key id, kind of period and its beginning."""
    data_keys: dict[str, DataKey] = field(factory=dict)
    credentials: dict[str, StoredCredential] = field(factory=dict)

    def placed(self, entry: AuditEntry) -> AuditEntry:
        """Return *entry* with its number; nothing is changed.

        Raises:
            Conflict: it has a number, and that is not the account's next; or its id is taken.
        """
        due = len(self.audit.get(entry.account, ())) + 1
        if entry.sequence not in (None, due):
            raise Conflict("another audit entry came first; try again", code="audit_moved")
        if entry.id in self.audit_ids:
            raise Conflict("an id is taken already; make a new one")
        return evolve(entry, sequence=due)

    def write(self, placed: AuditEntry) -> None:
        """Append what :meth:`placed` returned."""
        self.audit[placed.account].append(placed)
        self.audit_ids.add(placed.id)

    def balance(self, account: str, currency: str) -> Balance:
        """Return the balance; zero if there is none."""
        zero = Money.zero(currency)
        return self.balances.get((account, currency)) or Balance(account, posted=zero, held=zero)

    def opened(self, hold: Hold) -> None:
        """Take in a hold that is placed."""
        purse = (hold.account, hold.amount.currency)
        self.hold_of_key[hold.account, hold.idempotency_key] = hold.id
        self.holds[hold.id] = self.open_holds[purse][hold.id] = hold
        soonest = self.soonest.get(purse)
        if soonest is None or hold.expires_at < soonest:
            self.soonest[purse] = hold.expires_at

    def overdue(self, purse: Purse, at: datetime) -> list[Hold]:
        """Return the open holds of *purse* that the clock gives back at *at*."""
        soonest = self.soonest.get(purse)
        if soonest is None or at < soonest:
            return []  # so that a call need not look at all the others that are under way
        holds = self.open_holds[purse].values()
        found = [hold for hold in holds if hold.is_overdue(at)]
        if not found:
            if holds:
                self.soonest[purse] = min(hold.expires_at for hold in holds)
            else:
                del self.soonest[purse]
        return found

    def event(self, event_id: str) -> UsageEvent | None:
        """Return the logged event of that id, whosever it is."""
        owner = self.owner_of_event.get(event_id)
        return None if owner is None else self.usage[owner][event_id]

    def log(self, event: UsageEvent) -> None:
        """Append a usage event."""
        self.usage[event.account][event.id] = event
        self.owner_of_event[event.id] = event.account

    def log_attempts(self, attempts: Iterable[Attempt]) -> None:
        """Append those of *attempts* whose ids are not here."""
        for attempt in attempts:
            if attempt.id not in self.attempts:
                self.attempts[attempt.id] = attempt
                self.attempts_of[attempt.account].append(attempt)


def distinct(events: Iterable[UsageEvent]) -> dict[str, UsageEvent]:
    """Return *events* by id, each of them once.

    Raises:
        IdempotencyConflict: two of one id are not the same measurement.
    """
    found: dict[str, UsageEvent] = {}
    for event in events:
        if not event.same_measurement(found.setdefault(event.id, event)):
            raise IdempotencyConflict("a usage event is measured in two ways")
    return found
