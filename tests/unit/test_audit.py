"""An audit entry is fixed once it is made."""

from datetime import UTC, datetime

import pytest

from tollkeeper.domain.audit import AuditEntry

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def entry(**details: str) -> AuditEntry:
    return AuditEntry("audit-1", NOW, "acme", "host", "key.issued", "key-1", details)


def test_entries_are_equal_if_they_say_the_same() -> None:
    assert entry(name="ci") == entry(name="ci")
    assert entry(name="ci") != entry(name="cd")
    assert AuditEntry("audit-1", NOW, "acme", "host", "key.issued", "key-1").details == {}


def test_an_entry_is_not_rewritten() -> None:
    with pytest.raises(AttributeError):
        entry().actor = "someone else"  # type: ignore[misc]


def test_two_entries_share_no_details() -> None:
    one = AuditEntry("1", NOW, "acme", "host", "key.issued", "key-1")
    other = AuditEntry("2", NOW, "acme", "host", "key.issued", "key-1")
    assert one.details is not other.details
