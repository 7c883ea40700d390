"""Plans, audit entries, usage events and attempts as rows, read by the names of columns."""

from collections.abc import Mapping
from typing import Any

from tollkeeper.adapters.sql.documents import bytes_text
from tollkeeper.adapters.sql.rows import aware
from tollkeeper.domain.attempts import Attempt, Billed, Outcome, Settlement
from tollkeeper.domain.audit import AuditEntry, AuditHead
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.plans import Plan
from tollkeeper.domain.rate_limits import RateLimit
from tollkeeper.domain.usage import UsageEvent, UsageTotal

Row = Mapping[str, Any]


def audit_document(entry: AuditEntry) -> dict[str, object]:
    """Write *entry* as JSON, as ``append_audit`` takes it."""
    return {
        "id": entry.id,
        "at": aware(entry.at).isoformat(),
        "account": entry.account,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "details": dict(entry.details),
        "sequence": entry.sequence,
        "mac": bytes_text(entry.mac),
        "mac_key": entry.mac_key,
    }


def audit_from_row(row: Row) -> AuditEntry:
    """Read a row of ``audit_page``."""
    return AuditEntry(
        id=row["id"],
        at=row["at"],
        account=row["account"],
        actor=row["actor"],
        action=row["action"],
        subject=row["subject"],
        details=row["details"],
        sequence=row["sequence"],
        mac=row["mac"],
        mac_key=row["mac_key"],
    )


def head_from_row(row: Row) -> AuditHead:
    """Read a row of ``audit_head``."""
    return AuditHead(row["sequence"], row["mac"])


def plan_from_row(row: Row) -> Plan:
    """Read a row of ``all_plans`` or ``plan_of``."""
    requests = row["rate_requests"]
    return Plan(
        name=row["name"],
        operations=tuple(row["operations"]),
        models=tuple(row["models"]),
        rate_limit=None if requests is None else RateLimit(requests, row["rate_period"]),
        max_output_tokens=row["max_output_tokens"],
        markup_bps=row["markup_bps"],
        on_outage=row["rate_on_outage"],
    )


def event_from_row(row: Row) -> UsageEvent:
    """Read a row of ``usage_page``."""
    return UsageEvent(
        id=row["id"],
        account=row["account"],
        key_id=row["key_id"],
        call_id=row["call_id"],
        operation=row["operation"],
        model=row["model"],
        meter=Meter(row["meter"]),
        quantity=row["quantity"],
        provenance=Provenance(row["provenance"]),
        cost=Money(row["cost"], row["cost_currency"]),
        charge=Money(row["charge"], row["charge_currency"]),
        price_id=row["price_id"],
        occurred_at=row["occurred_at"],
        attempt=row["attempt"],
    )


def total_from_row(row: Row) -> UsageTotal:
    """Read a row of ``usage_totals``; sums may leave 64 bits."""
    return UsageTotal(
        operation=row["operation"],
        model=row["model"],
        meter=Meter(row["meter"]),
        events=row["events"],
        quantity=int(row["quantity"]),
        estimated=int(row["estimated"]),
        charge=Money(int(row["charge"]), row["currency"]),
    )


def attempt_from_row(row: Row) -> Attempt:
    """Read a row of ``attempt_page``."""
    return Attempt(
        id=row["id"],
        call_id=row["call_id"],
        account=row["account"],
        number=row["number"],
        provider=row["provider"],
        model=row["model"],
        credential=row["credential"],
        started_at=row["started_at"],
        lasted=row["lasted"],
        outcome=Outcome(row["outcome"]),
        billed=Billed(row["billed"]),
        settlement=Settlement(row["settlement"]),
        provenance=Provenance(row["provenance"]),
        quantities={Meter(meter): count for meter, count in row["quantities"].items()},
        cost=Money(row["cost"], row["cost_currency"]),
        price_id=row["price_id"],
        error=row["error"],
    )
