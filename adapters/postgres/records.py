"""Keys, plans, audit entries, usage events and attempts as arguments and rows of asyncpg."""

import json
from datetime import datetime
from typing import Any

from tollkeeper.adapters.sql import records
from tollkeeper.adapters.sql.records import (
    Row,
    audit_document,
    event_from_row,
    key_from_row,
    plan_from_row,
    total_from_row,
)
from tollkeeper.adapters.sql.rows import aware
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.attempts import Attempt
from tollkeeper.domain.audit import AuditEntry
from tollkeeper.domain.plans import Plan

__all__ = ["event_from_row", "key_from_row", "plan_from_row", "total_from_row"]


def aware_or_none(at: datetime | None) -> datetime | None:
    """Return *at*, which must have a time zone, or None."""
    return None if at is None else aware(at)


def audit_json(entry: AuditEntry) -> str:
    """Write *entry* as ``append_audit`` takes it."""
    return json.dumps(audit_document(entry))


def audit_from_row(row: Row) -> AuditEntry:
    """Read a row of ``audit_page``; asyncpg leaves JSON as text."""
    return records.audit_from_row({**row, "details": json.loads(row["details"])})


def attempt_from_row(row: Row) -> Attempt:
    """Read a row of ``attempt_page``."""
    return records.attempt_from_row({**row, "quantities": json.loads(row["quantities"])})


def key_arguments(key: ApiKey) -> tuple[Any, ...]:
    """Write *key* but for its secrets, in the order of ``replace_key``."""
    return (
        key.id,
        key.account,
        key.name,
        sorted(key.scopes),
        key.prefix,
        aware(key.created_at),
        aware_or_none(key.expires_at),
        aware_or_none(key.revoked_at),
        key.version,
    )


def secret_arguments(key: ApiKey) -> tuple[Any, ...]:
    """Write the secrets of *key* as one array for each of their fields."""
    return (
        [secret.kid for secret in key.secrets],
        [secret.verifier for secret in key.secrets],
        [secret.pepper_id for secret in key.secrets],
        [aware(secret.not_before) for secret in key.secrets],
        [aware_or_none(secret.not_after) for secret in key.secrets],
    )


def plan_arguments(plan: Plan) -> tuple[Any, ...]:
    """Write *plan* in the order of ``put_plan``."""
    limit = plan.rate_limit
    return (
        plan.name,
        plan.operations,
        plan.models,
        limit.requests if limit else None,
        limit.period if limit else None,
        plan.max_output_tokens,
        plan.markup_bps,
    )
