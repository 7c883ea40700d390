"""What the commands of keys, audit and secrets print as JSON: nothing secret."""

from collections.abc import Mapping
from datetime import datetime

from attrs import asdict

from tollkeeper.application.rotate_encryption import RotationReport
from tollkeeper.application.seal_keys import SealReport
from tollkeeper.application.verify_audit import AuditCheck
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.audit import AuditEntry, AuditHead
from tollkeeper.domain.credentials import StoredCredential
from tollkeeper.domain.key_limits import QuotaUse
from tollkeeper.domain.key_tokens import display_prefix
from tollkeeper.domain.leak_reports import ReportedLeak
from tollkeeper.infra.cli.output import Document, iso


def of_key(key: ApiKey, *, at: datetime) -> Document:
    """Write a key as it stands at *at*."""
    return {
        "id": key.id,
        "account": key.account,
        "name": key.name,
        "description": key.description,
        "display": key.display,
        "scopes": sorted(key.scopes),
        "state": str(key.state(at)),
        "created_at": iso(key.created_at),
        "last_used_at": iso(key.last_used_at),
        "expires_at": iso(key.expires_at),
        "disabled_at": iso(key.disabled_at),
        "revoked_at": iso(key.revoked_at),
        "limits": [str(limit) for limit in key.limits],
        "quota": None if key.quota is None else str(key.quota),
        "networks": [str(network) for network in key.networks],
        "metadata": dict(key.metadata),
        "sealed_under": None if key.seal is None else key.seal.pepper_id,
        "secrets": [
            {
                "display": display_prefix(key.prefix, secret.kid),
                "works_from": iso(secret.not_before),
                "works_until": iso(secret.not_after),
                "pepper": secret.pepper_id,
            }
            for secret in key.secrets
        ],
    }


def of_credential(credential: StoredCredential) -> Document:
    """Write what may be known of a credential: whose, for whom, and bound to which place."""
    return {
        "id": credential.id,
        "account": credential.account,
        "provider": credential.provider,
        "label": credential.label,
        "base_url": credential.base_url,
        "created_at": iso(credential.created_at),
    }


def of_quota_use(key: ApiKey, use: QuotaUse | None) -> Document | None:
    """Write what *key* used of its quota in the present period; None if it has none."""
    if key.quota is None or use is None:
        return None
    return {
        "used": use.used,
        "left": max(0, key.quota.calls - use.used),
        "since": iso(use.since),
        "until": iso(key.quota.ends(use.since)),
    }


def of_seal_report(report: SealReport, *, current: str) -> Document:
    """Write what became of the keys, and how many secrets hang on which pepper."""
    return {
        "ok": not report.tampered and not report.missing,
        "keys": report.keys,
        "sealed": report.sealed,
        "renewed": report.renewed,
        "not_intact": list(report.tampered),
        "current_pepper": current,
        "secrets_under": dict(report.under),
        "peppers_missing": list(report.missing),
    }


def of_rotation(report: RotationReport | None, under: Mapping[str, int] | None) -> Document | None:
    """Write what became of data keys, and what is *under* which key-encryption key."""
    return None if report is None else {**asdict(report), "data_keys_under": dict(under or {})}


def of_leak(leak: ReportedLeak) -> Document:
    """Write what was done about a token, which it does not hold."""
    return {
        "outcome": str(leak.outcome),
        "key": leak.display or None,
        "type": leak.kind,
        "token_sha256": leak.token_hash,
    }


def of_audit_entry(entry: AuditEntry) -> Document:
    """Write who changed what."""
    return {
        "id": entry.id,
        "sequence": entry.sequence,
        "at": iso(entry.at),
        "account": entry.account,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "details": dict(entry.details),
        "chained": bool(entry.mac),
    }


def of_head(head: AuditHead) -> str:
    """Write where a chain ends, as ``audit verify --head`` reads it."""
    return f"{head.sequence}:{head.mac.hex()}"


def of_audit_check(check: AuditCheck) -> Document:
    """Write how far a chain holds."""
    fault = check.state.fault
    return {
        "account": check.account,
        "ok": check.ok,
        "entries": check.state.entries,
        "unchained": check.state.unchained,
        "head": of_head(check.state.head),
        "fault": None
        if fault is None
        else {
            "sequence": fault.sequence,
            "fault": str(fault.fault),
            "entry_id": fault.entry_id or None,
            "detail": fault.detail or None,
        },
    }
