"""Documents, plans, audit entries, usage events and attempts as asyncpg takes and returns them."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from tollkeeper.adapters.postgres.failures import corrupt
from tollkeeper.adapters.sql import records
from tollkeeper.adapters.sql.records import (
    Row,
    audit_document,
    event_from_row,
    head_from_row,
    plan_from_row,
    total_from_row,
)
from tollkeeper.adapters.sql.rows import aware
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.errors import TollkeeperError
from tollkeeper.domain.plans import Plan

__all__ = ["event_from_row", "head_from_row", "plan_from_row", "total_from_row"]
T = TypeVar("T")


def aware_or_none(at: datetime | None) -> datetime | None:
    """Return *at*, which must have a time zone, or None."""
    return None if at is None else aware(at)


def document_json(document: Mapping[str, object]) -> str:
    """Write *document* for a parameter of type jsonb."""
    return json.dumps(document)


def read_documents(rows: Iterable[Row], read: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
    """Read the column ``document`` of each row by *read*; asyncpg leaves JSON as text.

    Raises:
        CorruptResponse: a document is not what was written: somebody changed the tables.
    """
    try:
        return tuple(read(json.loads(row["document"])) for row in rows)
    except (LookupError, TypeError, ValueError, OverflowError, TollkeeperError):
        # Its words may quote what is stored.
        raise corrupt() from None


def audit_json(entry: AuditEntry) -> str:
    """Write *entry* as ``append_audit`` takes it."""
    return json.dumps(audit_document(entry))


def audit_from_row(row: Row) -> AuditEntry:
    """Read a row of ``audit_page``; asyncpg leaves JSON as text."""
    return records.audit_from_row({**row, "details": json.loads(row["details"])})


def attempt_from_row(row: Row) -> Attempt:
    """Read a row of ``attempt_page``."""
    return records.attempt_from_row({**row, "quantities": json.loads(row["quantities"])})


def plan_arguments(plan: Plan) -> tuple[Any, ...]:
    """Write *plan* in the order of ``put_plan``."""
    limit = plan.rate_limit
    return (
        plan.name,
        plan.operations,
        plan.models,
        limit.requests if limit else None,
        limit.period if limit else None,
        plan.on_outage.value,
        plan.max_output_tokens,
        plan.markup_bps,
    )
