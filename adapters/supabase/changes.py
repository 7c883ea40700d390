"""Changes of holds, alone or many in one request, over the functions of the schema."""

from collections.abc import Sequence
from typing import TypeVar

from attrs import frozen

from tollkeeper.adapters.sql.outcomes import (
    Capture,
    Release,
    captured,
    or_raise,
    placed,
    placed_attempts,
    placed_usage,
    released,
)
from tollkeeper.adapters.sql.rows import Row, attempt_document, event_document
from tollkeeper.adapters.supabase.asking import Effect
from tollkeeper.adapters.supabase.connections import SupabaseConnections
from tollkeeper.adapters.supabase.failures import corrupt, too_late
from tollkeeper.adapters.supabase.values import read_rows, time_text
from tollkeeper.domain.errors import PortError, TollkeeperError
from tollkeeper.domain.ledger import Entry, Hold

T = TypeVar("T")


@frozen
class BatchFaults:
    """The words for what goes wrong with a whole batch."""

    port: str

    def too_late(self, *, sent: bool) -> PortError:
        """Make the answer to a caller whose time is up."""
        return too_late(self.port, sent=sent)

    def unanswered(self) -> PortError:
        """Make the answer where some requests got none."""
        return corrupt(self.port)


@frozen
class Placing:
    """Places holds in the project of *connections*."""

    connections: SupabaseConnections

    async def one(self, hold: Hold) -> Hold:
        """Place *hold*, or find the one that its key placed before.

        Raises:
            DomainError: it was refused.
        """
        rows = await self.connections.call(
            "place_hold",
            {
                "p_hold_id": hold.id,
                "p_account": hold.account,
                "p_currency": hold.amount.currency,
                "p_amount": hold.amount.nanos,
                "p_purpose": hold.purpose,
                "p_idempotency_key": hold.idempotency_key,
                "p_expires_at": time_text(hold.expires_at),
                "p_at": time_text(hold.placed_at),
            },
            effect=Effect.REPEATS,
        )
        port = self.connections.port
        [answer] = _single(read_rows(rows, lambda row: placed(hold, row), port=port), port=port)
        return or_raise(answer)

    async def many(self, holds: Sequence[Hold]) -> list[Hold | TollkeeperError]:
        """Place *holds*; return for each what :meth:`one` returns or raises."""
        rows = await self.connections.call(
            "place_holds",
            {
                "p_hold_ids": [hold.id for hold in holds],
                "p_accounts": [hold.account for hold in holds],
                "p_currencies": [hold.amount.currency for hold in holds],
                "p_amounts": [hold.amount.nanos for hold in holds],
                "p_purposes": [hold.purpose for hold in holds],
                "p_idempotency_keys": [hold.idempotency_key for hold in holds],
                "p_expires_at": [time_text(hold.expires_at) for hold in holds],
                "p_at": [time_text(hold.placed_at) for hold in holds],
            },
            effect=Effect.REPEATS,
        )

        def read(row: Row) -> tuple[int, Hold | TollkeeperError]:
            place = _place(row, holds)
            return place, placed(holds[place], row)

        # What is not named was placed as it was asked for.
        answers = dict(read_rows(rows, read, port=self.connections.port))
        return [answers.get(place, hold) for place, hold in enumerate(holds)]


@frozen
class Releasing:
    """Gives holds back in the project of *connections*."""

    connections: SupabaseConnections

    async def one(self, release: Release) -> Hold:
        """Give the hold back.

        Raises:
            DomainError: it was refused.
        """
        rows = await self.connections.call(
            "release_hold",
            {
                "p_hold_id": release.hold_id,
                "p_at": time_text(release.at),
                "p_attempts": [attempt_document(attempt) for attempt in release.attempts],
            },
            effect=Effect.REPEATS,
        )
        port = self.connections.port
        [answer] = _single(read_rows(rows, released, port=port), port=port)
        return or_raise(answer)

    async def many(self, releases: Sequence[Release]) -> list[Hold | TollkeeperError]:
        """Give holds back; return for each what :meth:`one` returns or raises."""
        rows = await self.connections.call(
            "release_holds",
            {
                "p_hold_ids": [release.hold_id for release in releases],
                "p_at": [time_text(release.at) for release in releases],
                "p_attempts": placed_attempts(releases),
            },
            effect=Effect.REPEATS,
        )

        def read(row: Row) -> tuple[int, Hold | TollkeeperError]:
            return _place(row, releases), released(row)

        return _in_order(read_rows(rows, read, port=self.connections.port))


@frozen
class Capturing:
    """Captures holds in the project of *connections*."""

    connections: SupabaseConnections

    async def one(self, capture: Capture) -> Entry:
        """Capture the hold, or find the entry of the capture before.

        Raises:
            DomainError: it was refused.
        """
        rows = await self.connections.call(
            "capture_hold",
            {
                "p_hold_id": capture.hold_id,
                "p_amount": capture.amount.nanos,
                "p_currency": capture.amount.currency,
                "p_entry_id": capture.entry_id,
                "p_at": time_text(capture.at),
                "p_usage": [event_document(event) for event in capture.usage],
                "p_attempts": [attempt_document(attempt) for attempt in capture.attempts],
            },
            effect=Effect.REPEATS,
        )
        port = self.connections.port
        [answer] = _single(read_rows(rows, captured, port=port), port=port)
        return or_raise(answer)

    async def many(self, captures: Sequence[Capture]) -> list[Entry | TollkeeperError]:
        """Capture holds; return for each what :meth:`one` returns or raises."""
        rows = await self.connections.call(
            "capture_holds",
            {
                "p_hold_ids": [capture.hold_id for capture in captures],
                "p_amounts": [capture.amount.nanos for capture in captures],
                "p_currencies": [capture.amount.currency for capture in captures],
                "p_entry_ids": [capture.entry_id for capture in captures],
                "p_at": [time_text(capture.at) for capture in captures],
                "p_usage": placed_usage(captures),
                "p_attempts": placed_attempts(captures),
            },
            effect=Effect.REPEATS,
        )

        def read(row: Row) -> tuple[int, Entry | TollkeeperError]:
            return _place(row, captures), captured(row)

        return _in_order(read_rows(rows, read, port=self.connections.port))


def _single(answers: list[T], *, port: str) -> list[T]:
    if len(answers) != 1:
        raise corrupt(port)
    return answers


def _place(row: Row, asked: Sequence[object]) -> int:
    place: int = row["place"] - 1
    if not 0 <= place < len(asked):
        raise ValueError
    return place


def _in_order(answers: list[tuple[int, T]]) -> list[T]:
    # If one was left out or given twice, there are fewer than were asked for, which is noticed.
    found = dict(answers)
    return [found[place] for place in sorted(found)]
