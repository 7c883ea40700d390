"""Making what checks keys and writes the audit log from the settings."""

import secrets
from collections.abc import Collection, Sequence
from datetime import timedelta

from tollkeeper.application.attempt_limits import AttemptLimits
from tollkeeper.domain.audit import AuditKey
from tollkeeper.domain.key_derivation import derive_key
from tollkeeper.domain.key_tokens import Pepper
from tollkeeper.infra.registry import scheme_of
from tollkeeper.infra.settings import Settings
from tollkeeper.ports.clock import Clock

_USUAL_TTL = timedelta(seconds=30)


def key_cache_ttl(settings: Settings, lent: Collection[str]) -> float:
    """Return for how many seconds a process may know a key; *lent* names what the host lent.

    Where others may change keys and this facade would not hear of it, none at all.
    """
    if settings.key_cache_ttl is not None:
        return settings.key_cache_ttl.total_seconds()
    alone = scheme_of(settings.store) == "memory" and not {"store", "key_store"} & set(lent)
    hears = scheme_of(settings.broadcast) != "memory" and "broadcast" not in lent
    return _USUAL_TTL.total_seconds() if alone or hears else 0.0


def attempt_limits(settings: Settings, clock: Clock) -> AttemptLimits:
    return AttemptLimits(
        clock,
        settings.attempts_per_client,
        settings.attempts_overall,
        name_key=secrets.token_bytes(32),
    )


def audit_keys(settings: Settings, peppers: Sequence[Pepper]) -> tuple[AuditKey, ...]:
    """Return the keys of the audit log, the current one first.

    Those that derive from *peppers* stand last, also where others are set: what was chained
    before is proved with them.
    """
    given = [each for each in (settings.audit_key, *settings.retired_audit_keys) if each]
    derived = (derive_key(pepper.value, "audit-key/v1") for pepper in peppers)
    return tuple(AuditKey(value) for value in (*(s.reveal().encode() for s in given), *derived))
