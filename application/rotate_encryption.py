"""Wrap data keys anew after a rotation of the key-encryption key, and encrypt values anew."""

from collections.abc import Callable

from attrs import evolve, frozen

from tollkeeper.application.account_cipher import AccountCipher
from tollkeeper.application.audit_trail import MOVED, AuditTrail
from tollkeeper.application.credential_texts import place_of
from tollkeeper.application.data_key_news import DataKeyNews
from tollkeeper.application.data_keys import DataKeys
from tollkeeper.domain.checks import checked_text
from tollkeeper.domain.credentials import StoredCredential
from tollkeeper.domain.encryption import DataKey, DataKeyState
from tollkeeper.domain.errors import (
    ConfigurationError,
    Conflict,
    CorruptResponse,
    NotFound,
)
from tollkeeper.domain.sealed_values import SealedValue
from tollkeeper.ports.credential_store import CredentialStore
from tollkeeper.ports.data_key_store import DataKeyStore

_PAGE = 100
_TRIES = 10


@frozen
class RotationReport:
    """What became of the data keys and of the values under them."""

    data_keys: int = 0
    """How many were looked at."""
    rewrapped: int = 0
    """Are under the current key-encryption key now, and were not."""
    replaced: int = 0
    """Have a successor now that new values are encrypted with."""
    values: int = 0
    """How many values were encrypted anew."""
    destroyed: int = 0
    """How many data keys no value needs any more; they are destroyed."""
    unreadable: tuple[str, ...] = ()
    """Ids of credentials and data keys that do not open; they are left as they are."""


@frozen
class RotateEncryption:
    """Go through all data keys; may be broken off, killed and run again at any time.

    Every step leaves each value readable: a data key is wrapped anew in the place of its former
    wrapping, a value is encrypted anew in the place of the former one, and a data key is destroyed
    only once the store knows no value under it. What somebody damaged stays as it is, and holds
    up nothing else.
    """

    data_key_store: DataKeyStore
    credential_store: CredentialStore
    data_keys: DataKeys | None
    trail: AuditTrail
    news: DataKeyNews

    async def __call__(
        self,
        *,
        new_data_keys: bool = False,
        actor: str = "host",
        progress: Callable[[RotationReport], None] | None = None,
    ) -> RotationReport:
        """Wrap every data key under the current key-encryption key.

        With *new_data_keys*, each account also gets a new data key, all of its values are
        encrypted with that, and the former data keys are destroyed. Without, data keys that
        are only read with are emptied and destroyed all the same: they are left from a rotation
        that was broken off. *progress* hears how far it is.

        Raises:
            ConfigurationError: the settings name no key-encryption keys.
            PortError: a store or keeper is away; what was done is done: run it again.
        """
        checked_text(actor, field="actor")
        if self.data_keys is None:
            raise ConfigurationError(
                "key_encryption: no key-encryption keys are set, so that there is nothing to "
                "rotate; set key_encryption to where they are"
            )
        keys, report, after = self.data_keys, RotationReport(), None
        heard = _unheard if progress is None else progress
        made: set[str] = set()
        while page := await self.data_key_store.page(after=after, limit=_PAGE):
            for key in page:
                if key.id not in made:
                    report = evolve(report, data_keys=report.data_keys + 1)
                    if key.state is not DataKeyState.PRIMARY:
                        report = await self._retire(key, keys, report, actor, heard)
                    elif new_data_keys and not await self._opens(key, keys):
                        # Another environment, or another keyring, made it: a successor of ours
                        # would shut out whoever reads it.
                        report = _with_unreadable(report, key.id)
                    elif new_data_keys:
                        made.add((await keys.make(key.account, actor=actor)).id)
                        await self.news.tell(key.account)  # so that nobody writes with the former
                        report = evolve(report, replaced=report.replaced + 1)
                        report = await self._retire(key, keys, report, actor, heard)
                    else:
                        report = await self._rewrap(key, keys, report, actor)
                heard(report)
            after = page[-1].id
        return report

    async def _opens(self, key: DataKey, keys: DataKeys) -> bool:
        try:
            await keys.get(account=key.account, data_key_id=key.id)
        except (CorruptResponse, Conflict, NotFound):
            return False
        return True

    async def _retire(
        self,
        key: DataKey,
        keys: DataKeys,
        report: RotationReport,
        actor: str,
        heard: Callable[[RotationReport], None],
    ) -> RotationReport:
        """Encrypt every value under *key* with the account's primary, and destroy the key."""
        keys.forget(key.account)  # which may know this very key as the primary, from long ago
        cipher, after = AccountCipher(keys), None
        while page := await self.credential_store.encrypted_with(key.id, after=after, limit=_PAGE):
            for value in page:
                report = await self._encrypt_anew(value, cipher, report)
                heard(report)
            after = page[-1].id
        return await self._destroy(key, keys, report, actor)

    async def _rewrap(
        self, key: DataKey, keys: DataKeys, report: RotationReport, actor: str
    ) -> RotationReport:
        for attempt in range(1, _TRIES + 1):
            try:
                wrapped = await keys.rewrapped(key)
            except CorruptResponse:
                return _with_unreadable(report, key.id)
            if wrapped is key.wrapped:
                return report
            renewed = key.rewrap(wrapped)
            try:
                await self.trail.record(
                    lambda audit, renewed=renewed: self.data_key_store.replace(  # type: ignore[misc]  # mypy infers no type for a lambda with a default
                        renewed, audit=audit
                    ),
                    account=key.account,
                    actor=actor,
                    action="data_key.rewrapped",
                    subject=key.id,
                    details={"kek": wrapped.kek_id},
                )
            except Conflict as error:
                if error.code == MOVED or attempt == _TRIES:
                    raise
                key = await self.data_key_store.get(account=key.account, data_key_id=key.id)
                if key.state is DataKeyState.DESTROYED:
                    return report
            else:
                return evolve(report, rewrapped=report.rewrapped + 1)
        raise AssertionError("the last try returns or raises")

    async def _encrypt_anew(
        self, value: StoredCredential, cipher: AccountCipher, report: RotationReport
    ) -> RotationReport:
        place = place_of(value.account, value.id)
        try:
            text = await cipher.decrypt_text(value.sealed, place=place)
        except (CorruptResponse, Conflict, NotFound):
            # Changed meanwhile, as by another rotation, or else damaged.
            unread = await self._is_there(value)
            return _with_unreadable(report, value.id) if unread else report
        sealed = await cipher.encrypt(text, place=place)
        data_key_id = SealedValue.parse(sealed).data_key_id
        renewed = evolve(value, sealed=sealed, data_key_id=data_key_id, version=value.version + 1)
        try:
            await self.credential_store.replace(renewed, audit=None)
        except (Conflict, NotFound):
            return report  # changed meanwhile, and by that encrypted with the primary; or gone
        return evolve(report, values=report.values + 1)

    async def _is_there(self, value: StoredCredential) -> bool:
        """Whether *value* is still in the store as it was read."""
        try:
            now = await self.credential_store.get(account=value.account, credential_id=value.id)
        except NotFound:
            return False
        return now.version == value.version

    async def _destroy(
        self, key: DataKey, keys: DataKeys, report: RotationReport, actor: str
    ) -> RotationReport:
        try:
            await self.trail.record(
                lambda audit: self.data_key_store.destroy(
                    account=key.account, data_key_id=key.id, audit=audit
                ),
                account=key.account,
                actor=actor,
                action="data_key.destroyed",
                subject=key.id,
            )
        except Conflict as error:
            if error.code != "data_key_in_use":
                raise
            # Another process wrote with it a moment ago: the next run empties it. Until then it
            # must not be what keeps a former key-encryption key in use.
            return await self._rewrap(key, keys, report, actor)
        await self.news.tell(key.account)
        return evolve(report, destroyed=report.destroyed + 1)


def _with_unreadable(report: RotationReport, name: str) -> RotationReport:
    return evolve(report, unreadable=(*report.unreadable, name))


def _unheard(_: RotationReport) -> None:
    """Stand for a caller who does not ask how far it is."""
