"""A chain of audit entries holds as it was written, and shows where it does not."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from attrs import evolve, fields
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.audit import (
    AuditEntry,
    AuditHead,
    AuditKey,
    ChainBreak,
    ChainState,
    Fault,
    chained,
    follow,
)
from tollkeeper.domain.errors import InvalidRequest

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY, NEXT, UNKNOWN = (AuditKey(bytes(range(n, n + 32))) for n in range(3))
KEYS = {each.id: each for each in (KEY, NEXT)}
OTHERWISE: dict[str, tuple[Any, ...]] = {
    "id": ("audit-99", ""),
    "at": (NOW - timedelta(microseconds=1),),
    "account": ("acme2", ""),
    "actor": ("somebody", "host "),
    "action": ("key.deleted", ""),
    "subject": ("key-9", ""),
    "details": ({}, {"name": "x"}, {"name": "cix"}, {"name": "ci", "more": ""}, {"": "nameci"}),
    "mac": (bytes(32), b"\x01", bytes(range(32))),
}


def unchained(number: int) -> AuditEntry:
    return AuditEntry(
        *(f"audit-{number}", NOW + timedelta(seconds=number), "acme", "host", "key.issued"),
        f"key-{number}",
        {"name": "ci", "scopes": "chat:complete"},
    )


def chain(*keys: AuditKey, head: AuditHead | None = None) -> list[AuditEntry]:
    """Make a chain, each entry under the next of *keys*, behind *head*."""
    entries, head = [], head or AuditHead()
    for key in keys:
        entry = chained(unchained(head.sequence + 1), head, key)
        entries.append(entry)
        head = AuditHead(head.sequence + 1, entry.mac)
    return entries


CHAIN = chain(*[KEY] * 5)


def breaks(entries: Sequence[AuditEntry]) -> tuple[int, Fault] | None:
    """Return where the chain breaks first, and how; None if it holds."""
    fault = follow(ChainState(), entries, KEYS).fault
    return None if fault is None else (fault.sequence, fault.fault)


def test_a_chain_holds_as_it_was_written() -> None:
    state = follow(ChainState(), CHAIN, KEYS)
    assert state == ChainState(AuditHead(5, CHAIN[-1].mac), entries=5)
    assert [entry.sequence for entry in CHAIN] == [1, 2, 3, 4, 5]
    assert {entry.mac_key for entry in CHAIN} == {KEY.id}
    assert len({entry.mac for entry in CHAIN}) == 5
    assert follow(ChainState(), [], KEYS) == ChainState()


@pytest.mark.parametrize("cut", range(6))
def test_a_chain_is_followed_in_any_number_of_steps(cut: int) -> None:
    state = follow(follow(ChainState(), CHAIN[:cut], KEYS), CHAIN[cut:], KEYS)
    assert state == follow(ChainState(), CHAIN, KEYS)


def test_the_table_of_these_tests_names_every_field() -> None:
    others = {"sequence", "mac_key"}  # below: a gap, and an unknown key
    assert set(OTHERWISE) == {each.name for each in fields(AuditEntry)} - others


@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("name", OTHERWISE)
def test_a_change_of_any_field_is_noticed_where_it_is(name: str, place: int) -> None:
    """An entry that was updated is named (T24)."""
    for value in OTHERWISE[name]:
        entries = [*CHAIN]
        entries[place] = evolve(entries[place], **{name: value})
        assert breaks(entries) == (place + 1, Fault.CHANGED), value


def test_a_time_is_the_same_in_another_time_zone() -> None:
    east = CHAIN[0].at.astimezone(timezone(timedelta(hours=9)))
    assert breaks([evolve(CHAIN[0], at=east), *CHAIN[1:]]) is None


@pytest.mark.parametrize("gone", range(4))
def test_a_missing_entry_is_a_gap(gone: int) -> None:
    """An entry that was deleted is named by the number that is missing (T24)."""
    assert breaks([*CHAIN[:gone], *CHAIN[gone + 1 :]]) == (gone + 1, Fault.GAP)
    later = [evolve(each, sequence=(each.sequence or 0) - 1) for each in CHAIN[gone + 1 :]]
    assert breaks([*CHAIN[:gone], *later]) == (gone + 1, Fault.CHANGED)  # the others moved up


@pytest.mark.parametrize(("one", "two"), [(0, 1), (1, 3), (0, 4)])
def test_entries_that_changed_places_are_noticed(one: int, two: int) -> None:
    """Entries in another order are named, renumbered or not (T24)."""
    turned = [*CHAIN]
    turned[one], turned[two] = turned[two], turned[one]
    assert breaks(turned) == (one + 1, Fault.GAP)
    renumbered = [evolve(each, sequence=n) for n, each in enumerate(turned, 1)]
    assert breaks(renumbered) == (one + 1, Fault.CHANGED)


def test_an_entry_that_was_put_in_between_is_noticed() -> None:
    foreign = chained(unchained(9), AuditHead(2, CHAIN[1].mac), UNKNOWN)
    own = evolve(CHAIN[1], sequence=3)
    twice = [*CHAIN[:2], CHAIN[1], *CHAIN[2:]]
    assert breaks([*CHAIN[:2], foreign, *CHAIN[2:]]) == (3, Fault.UNKNOWN_KEY)
    assert breaks([*CHAIN[:2], evolve(foreign, mac_key=KEY.id)]) == (3, Fault.CHANGED)
    assert breaks([*CHAIN[:2], own, *CHAIN[2:]]) == (3, Fault.CHANGED)
    assert breaks(twice) == (3, Fault.GAP)
    assert breaks([evolve(CHAIN[0], sequence=None)]) == (1, Fault.GAP)


def test_entries_from_before_chaining_stand_before_the_chain_only() -> None:
    before = [evolve(unchained(n), sequence=n) for n in (1, 2)]
    entries = before + chain(KEY, KEY, head=AuditHead(2))
    state = follow(ChainState(), entries, KEYS)
    assert (state.fault, state.unchained, state.entries) == (None, 2, 2)
    assert state.head == AuditHead(4, entries[-1].mac)
    late = evolve(unchained(5), sequence=5)
    assert breaks([*entries, late]) == (5, Fault.UNCHAINED)
    # Whoever takes the MAC from an entry in the middle gets no further.
    assert breaks([*CHAIN[:2], evolve(CHAIN[2], mac=b"", mac_key="")]) == (3, Fault.UNCHAINED)
    # From the beginning on they could be taken, if the next did not tell of it.
    stripped = [evolve(CHAIN[0], mac=b"", mac_key=""), *CHAIN[1:]]
    assert breaks(stripped) == (2, Fault.CHANGED)


def test_a_key_may_change_in_the_middle() -> None:
    entries = chain(KEY, KEY, NEXT, NEXT)
    assert [each.mac_key for each in entries] == [KEY.id, KEY.id, NEXT.id, NEXT.id]
    assert breaks(entries) is None
    assert breaks([*entries[:2], entries[3]]) == (3, Fault.GAP)
    only_new = {NEXT.id: NEXT}
    fault = follow(ChainState(), entries, only_new).fault
    assert fault == ChainBreak(1, Fault.UNKNOWN_KEY, "audit-1", KEY.id)
    renamed = [*entries[:2], evolve(entries[2], mac_key=KEY.id), entries[3]]
    assert breaks(renamed) == (3, Fault.CHANGED)


def test_nothing_is_followed_behind_a_break() -> None:
    broken = follow(ChainState(), [*CHAIN[:2], CHAIN[3]], KEYS)
    assert broken.head == AuditHead(2, CHAIN[1].mac)
    assert follow(broken, CHAIN[2:], KEYS) is broken


@given(st.permutations(CHAIN), st.integers(0, 5))
def test_only_the_chain_itself_holds(entries: list[AuditEntry], length: int) -> None:
    there = entries[:length]
    assert (breaks(there) is None) == (there == CHAIN[:length])


@pytest.mark.parametrize("value", [b"", bytes(31), "x" * 32, None, bytearray(32)])
def test_an_audit_key_is_long_enough(value: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        AuditKey(value)
    assert refused.value.code == "weak_audit_key"


def test_the_name_of_a_key_tells_nothing_of_it() -> None:
    assert len({KEY.id, NEXT.id, UNKNOWN.id}) == 3
    assert KEY.id not in KEY.value.hex()
    assert repr(KEY) == f"AuditKey({KEY.id})"
    with pytest.raises(TypeError, match="pickled"):
        KEY.__reduce__()
