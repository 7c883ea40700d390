"""Group commit: callers who wait at once share one statement, and so one wait for the disk."""

from typing import Generic, TypeVar

from attrs import define, field

from tollkeeper.adapters.postgres.failures import ADAPTER, PORT, too_late
from tollkeeper.adapters.sql import batching
from tollkeeper.adapters.sql.batching import LARGEST_BATCH
from tollkeeper.domain.errors import CorruptResponse, PortError

__all__ = ["LARGEST_BATCH", "Grouped"]
Ask = TypeVar("Ask")
Answer = TypeVar("Answer")


class _Faults:
    """The words for what goes wrong with a whole batch."""

    def too_late(self, *, sent: bool) -> PortError:
        return too_late(sent=sent)

    def unanswered(self) -> PortError:
        return CorruptResponse(
            "the database left requests unanswered", port=PORT, adapter=ADAPTER, ambiguous=True
        )


@define(eq=False)
class Grouped(batching.Grouped[Ask, Answer], Generic[Ask, Answer]):
    """Gathers what is asked while a statement is under way, and sends it all in the next one."""

    faults: batching.Faults = field(factory=_Faults)

    @property
    def statements(self) -> int:
        """How many statements were sent."""
        return self.requests
