"""Who changed what, and when; each entry is chained to the one before it by a MAC."""

import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import NoReturn

from attrs import evolve, field, frozen

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.instants import to_micros
from tollkeeper.domain.key_derivation import derive_key


@frozen
class AuditEntry:
    """One change, written in the same atomic step as the change itself; holds no secret.

    *actor* did *action* (``key.issued``) to *subject* (a key's or a plan's id) of *account*.

    *sequence* counts the account's entries from 1, without gaps; a store numbers an entry that
    has none. *mac* chains the entry to the one before, under the key named *mac_key*. Entries are
    equal if they tell the same, wherever they stand in the chain.
    """

    id: str
    at: datetime
    account: str
    actor: str
    action: str
    subject: str
    details: Mapping[str, str] = field(factory=dict)
    sequence: int | None = field(default=None, eq=False)
    mac: bytes = field(default=b"", eq=False, repr=False)
    mac_key: str = field(default="", eq=False)


@frozen
class AuditHead:
    """Where an account's chain ends: *sequence* (0 if it is empty) and *mac* of its last entry."""

    sequence: int = 0
    mac: bytes = field(default=b"", repr=False)


@frozen(repr=False)
class AuditKey:
    """The secret that chains are made with.

    Raises:
        InvalidRequest: *value* is no bytes, or fewer than 32.
    """

    value: bytes = field(repr=False)  # some tracebacks show fields, whatever the class's repr says

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.value, bytes) or len(self.value) < 32:
            raise InvalidRequest("an audit key is 32 bytes or more", code="weak_audit_key")

    @property
    def id(self) -> str:
        """Names the key without telling it."""
        return sha256(b"audit-key-id/v1\0" + self.value).hexdigest()[:12]

    def mac(self, entry: AuditEntry, *, previous: bytes) -> bytes:
        """Return the MAC of *entry* in its place, behind the entry with the MAC *previous*."""
        return hmac.digest(derive_key(self.value, "audit/v1"), _text(entry, previous), "sha256")

    def __repr__(self) -> str:
        return f"AuditKey({self.id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an AuditKey cannot be pickled or copied into another process")


def _text(entry: AuditEntry, previous: bytes) -> bytes:
    told = [entry.id, to_micros(entry.at), entry.account, entry.actor, entry.action, entry.subject]
    fields = ["audit/v1", previous.hex(), entry.sequence, *told, sorted(entry.details.items())]
    return json.dumps(fields, separators=(",", ":")).encode()


def chained(entry: AuditEntry, head: AuditHead, key: AuditKey) -> AuditEntry:
    """Put *entry* behind *head*, with its MAC under *key*."""
    placed = evolve(entry, sequence=head.sequence + 1, mac_key=key.id)
    return evolve(placed, mac=key.mac(placed, previous=head.mac))


class Fault(StrEnum):
    """What can be wrong with a chain, at the first entry where it shows."""

    GAP = "gap"
    """An entry is missing, or stands elsewhere."""
    CHANGED = "changed"
    """The entry, or the one before it, is not what was written."""
    UNCHAINED = "unchained"
    """The entry has no MAC, though one before it has."""
    UNKNOWN_KEY = "unknown_key"
    """The entry was chained under a key that is not at hand: nothing is known of it."""
    CUT = "cut"
    """The chain ends before an entry that is known to have been there."""


@frozen
class ChainBreak:
    """The first entry at which an account's chain does not hold."""

    sequence: int
    fault: Fault
    entry_id: str = ""
    detail: str = ""


@frozen
class ChainState:
    """How far a chain was followed: to *head*; *entries* were chained, *unchained* came before."""

    head: AuditHead = AuditHead()
    entries: int = 0
    unchained: int = 0
    fault: ChainBreak | None = None


def follow(
    state: ChainState, entries: Iterable[AuditEntry], keys: Mapping[str, AuditKey]
) -> ChainState:
    """Follow the chain from *state* along *entries*, the next ones in order, to the first break."""
    for entry in entries:
        if state.fault is not None:
            break
        state = _next(state, entry, keys)
    return state


def _next(state: ChainState, entry: AuditEntry, keys: Mapping[str, AuditKey]) -> ChainState:
    due = state.head.sequence + 1
    if entry.sequence != due:
        return evolve(state, fault=ChainBreak(due, Fault.GAP, entry.id))
    if not entry.mac:
        if state.entries:
            return evolve(state, fault=ChainBreak(due, Fault.UNCHAINED, entry.id))
        return evolve(state, head=AuditHead(due), unchained=state.unchained + 1)
    key = keys.get(entry.mac_key)
    if key is None:
        return evolve(state, fault=ChainBreak(due, Fault.UNKNOWN_KEY, entry.id, entry.mac_key))
    if not hmac.compare_digest(key.mac(entry, previous=state.head.mac), entry.mac):
        return evolve(state, fault=ChainBreak(due, Fault.CHANGED, entry.id))
    return evolve(state, head=AuditHead(due, entry.mac), entries=state.entries + 1)
