"""What the memory adapters share, with one fault each in how audit entries get their places."""

from attrs import evolve

from tollkeeper.adapters.memory.database import MemoryDatabase
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import Conflict


class TurnsIgnored(MemoryDatabase):
    """Writes an entry wherever the chain stands."""

    def placed(self, entry: AuditEntry) -> AuditEntry:
        return super().placed(evolve(entry, sequence=None))


class TurnsSeenTooLate(MemoryDatabase):
    """Finds out that an entry is out of turn when the change is made."""

    def placed(self, entry: AuditEntry) -> AuditEntry:
        due = super().placed(evolve(entry, sequence=None)).sequence
        return entry if entry.sequence is not None else evolve(entry, sequence=due)

    def write(self, placed: AuditEntry) -> None:
        super().placed(placed)
        super().write(placed)


class TurnsRefusedByAnotherName(MemoryDatabase):
    """Does not say that another entry came first."""

    def placed(self, entry: AuditEntry) -> AuditEntry:
        try:
            return super().placed(entry)
        except Conflict:
            raise Conflict("it does not fit") from None


class RefusedEntriesWritten(MemoryDatabase):
    """Writes that something was tried, where nothing may be written."""

    def placed(self, entry: AuditEntry) -> AuditEntry:
        try:
            return super().placed(entry)
        except Conflict:
            self.write(super().placed(evolve(entry, sequence=None)))
            raise


class PlacesForgotten(MemoryDatabase):
    """Keeps what happened, and not its MAC."""

    def write(self, placed: AuditEntry) -> None:
        super().write(evolve(placed, mac=b"", mac_key=""))


class MacsCutShort(MemoryDatabase):
    """Takes a MAC for a text, which ends at its first zero."""

    def write(self, placed: AuditEntry) -> None:
        super().write(evolve(placed, mac=placed.mac.partition(b"\0")[0]))


class OneNumberForAll(MemoryDatabase):
    """Numbers the entries of all accounts together."""

    def placed(self, entry: AuditEntry) -> AuditEntry:
        return evolve(super().placed(entry), sequence=len(self.audit_ids) + 1)


class NumbersForgotten(MemoryDatabase):
    """Leaves entries as they came."""

    def placed(self, entry: AuditEntry) -> AuditEntry:
        super().placed(entry)
        return entry


class IdsIgnored(MemoryDatabase):
    """Writes two entries under one id."""

    def write(self, placed: AuditEntry) -> None:
        super().write(placed)
        self.audit_ids.clear()
