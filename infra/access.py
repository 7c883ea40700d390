"""Making what checks keys and writes the audit log from the settings."""

import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import timedelta

from tollkeeper.application.account_cipher import AccountCipher
from tollkeeper.application.attempt_limits import AttemptLimits
from tollkeeper.application.audit_trail import AuditTrail
from tollkeeper.application.data_keys import DataKeys
from tollkeeper.application.key_minting import FixedPeppers
from tollkeeper.application.key_peppers import KeyPeppers
from tollkeeper.domain.audit import AuditKey
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.key_derivation import derive_key
from tollkeeper.domain.key_tokens import Pepper
from tollkeeper.infra.peppers import peppers_of
from tollkeeper.infra.registry import BUILT_IN, make_adapter, scheme_of
from tollkeeper.infra.settings import Settings
from tollkeeper.ports.cipher import Cipher
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.data_key_store import DataKeyStore
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.key_encryption import KeyEncryption
from tollkeeper.ports.versioned_secrets import VersionedSecretSource

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


def peppers(settings: Settings, source: object, clock: Clock) -> FixedPeppers | KeyPeppers:
    """Make the peppers: those of the settings, or those that a secret source keeps.

    Raises:
        ConfigurationError: the source does not keep former versions of secrets.
    """
    if settings.pepper_secret is None:
        return FixedPeppers(peppers_of(settings))
    if not isinstance(source, VersionedSecretSource):
        raise ConfigurationError(
            "pepper_secret: the secret source keeps no former versions, so that a rotation would "
            "end all keys; use another secret_source, or set key_pepper"
        )
    retired = tuple(Pepper(each.reveal().encode()) for each in settings.retired_key_peppers)
    return KeyPeppers(source, settings.pepper_secret, clock, retired)


def watched_peppers(known: FixedPeppers | KeyPeppers) -> KeyPeppers | None:
    """Return *known* if it has a health of its own."""
    return known if isinstance(known, KeyPeppers) else None


def audit_keys(settings: Settings, known: FixedPeppers | KeyPeppers) -> tuple[AuditKey, ...]:
    """Return the keys of the audit log, the current one first.

    Those that derive from the settings' peppers stand last, also where others are set: what was
    chained before is proved with them.
    """
    peppers = known.peppers if isinstance(known, FixedPeppers) else known.retired
    given = [each for each in (settings.audit_key, *settings.retired_audit_keys) if each]
    derived = (derive_key(pepper.value, "audit-key/v1") for pepper in peppers)
    return tuple(AuditKey(value) for value in (*(s.reveal().encode() for s in given), *derived))


def data_keys(
    settings: Settings,
    key_encryption: KeyEncryption | None,
    cipher: Callable[[], Cipher],
    store: DataKeyStore,
    trail: AuditTrail,
    clock: Clock,
    identifiers: Identifiers,
) -> DataKeys | None:
    """Make what opens accounts' data keys; None where nothing is set to wrap them with."""
    if key_encryption is None:
        return None
    return DataKeys(
        cipher(),
        key_encryption,
        store,
        trail,
        clock,
        identifiers,
        settings.environment,
        readable=tuple(_readable()),
    )


def _readable() -> Iterator[Cipher]:
    """Make the ciphers that values may have been written with before the settings changed."""
    for scheme in BUILT_IN["cipher"]:
        with suppress(ConfigurationError):  # the installed OpenSSL may not know one of them
            yield make_adapter("cipher", f"{scheme}://")


def account_cipher(data_keys: DataKeys | None) -> AccountCipher | None:
    return None if data_keys is None else AccountCipher(data_keys)
