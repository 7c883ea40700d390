"""The data keys of accounts, unwrapped and ready for use, for a short while."""

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from attrs import Factory, define, field, frozen

from tollkeeper.application.audit_trail import AuditTrail
from tollkeeper.domain.checks import checked_account
from tollkeeper.domain.encryption import (
    DataKey,
    DataKeyState,
    WrappedKey,
    checked_context,
    destroyed,
    is_key,
)
from tollkeeper.domain.errors import CorruptResponse, Unsupported
from tollkeeper.ports.cipher import Cipher, KeyedCipher
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.data_key_store import DataKeyStore
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.key_encryption import KeyEncryption

MOST_USES = 1 << 28
"""Encryptions under one data key. Random nonces allow 2^32 (NIST SP 800-38D) of all processes
together: sixteen of them may go to the end before that."""
_COUNTED_PER_KEPT = 10
Name = tuple[str, str]
"""An account and the id of a data key, which is empty for the primary, whichever it is."""
N = TypeVar("N")
V = TypeVar("V")


@frozen
class OpenKey:
    """A data key in use; *keyed* holds the key and does not show it."""

    id: str
    account: str
    algorithm: int
    keyed: KeyedCipher
    created_at: datetime
    open_until: float
    """By the monotonic clock."""


@define(eq=False)
class DataKeys:
    """Opens data keys, keeps at most *most* of them open, none longer than *longest_open*.

    Those who ask for the same key at once make one question to the key-encryption key's keeper.
    An account gets its first data key with its first value, and another one after *most_uses*
    encryptions in this process or *longest_life*, or where the cipher is another. Of one event
    loop.
    """

    cipher: Cipher
    """Encrypts, and decrypts what it encrypted."""
    key_encryption: KeyEncryption
    store: DataKeyStore
    trail: AuditTrail
    clock: Clock
    identifiers: Identifiers
    environment: str
    """Goes into the context of each wrapped key, so that none of it opens in another one."""
    purpose: str = "data"
    readable: Sequence[Cipher] = ()
    """Ciphers that decrypt what they encrypted before."""
    most: int = 1000
    longest_open: timedelta = timedelta(minutes=5)
    most_uses: int = MOST_USES
    longest_life: timedelta = timedelta(days=365)
    _ciphers: dict[int, Cipher] = field(init=False)
    _open: "OrderedDict[Name, OpenKey]" = Factory(OrderedDict)
    _primaries: "OrderedDict[str, OpenKey]" = Factory(OrderedDict)
    _uses: "OrderedDict[str, int]" = Factory(OrderedDict)
    """By the key's id; outlives the open key, which comes and goes."""
    _flights: "dict[Name, asyncio.Future[OpenKey | None]]" = Factory(dict)
    _forgotten: int = 0
    """How often something was forgotten: what was asked for before that is not kept."""

    def __attrs_post_init__(self) -> None:
        self._ciphers = {each.algorithm: each for each in (*self.readable, self.cipher)}
        checked_context(self._context("account"))

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, account: str, data_key_id: str) -> OpenKey | None:
        """Return the account's data key if it is open."""
        return self._kept(self._open, (account, data_key_id))

    async def get(self, *, account: str, data_key_id: str) -> OpenKey:
        """Return the account's data key; open it first, if it is not.

        Raises:
            NotFound: there is none, or it is another account's (code ``data_key_not_found``).
            Conflict: it was destroyed (code ``data_key_destroyed``).
            Unsupported: it is of a cipher that is not here (code ``cipher_not_here``).
            CorruptResponse: it does not unwrap (code ``decryption_failed``), or unwraps to
                another key (code ``data_key_mismatch``).
            PortError: the store or the keeper cannot say.
        """
        return self.opened(account, data_key_id) or await self._once(
            (account, data_key_id), lambda: self._opened(account, data_key_id)
        )

    async def primary(self, account: str) -> OpenKey:
        """Return the data key that the account encrypts with, and count one use of it.

        Raises:
            PortError: the store or the keeper cannot say; and as :meth:`get` does.
        """
        kept = self._kept(self._primaries, account)
        while kept is None or self._is_spent(kept):
            kept = await self._once((account, ""), lambda: self._opened_primary(account))
        self._count(kept.id, self._uses.get(kept.id, 0) + 1)
        return kept

    async def make(self, account: str, *, actor: str) -> OpenKey:
        """Give the account a new primary data key; the former one reads on.

        Raises:
            PortError: it has none, or, if ``ambiguous``, finds it there.
        """
        forgotten = self._forgotten
        made = await self.key_encryption.generate(context=self._context(checked_account(account)))
        key = DataKey(
            id=self.identifiers.new("datakey"),
            account=account,
            algorithm=self.cipher.algorithm,
            wrapped=made.wrapped,
            commitment=self.cipher.commitment(made.plaintext),
            state=DataKeyState.PRIMARY,
            created_at=self.clock.now(),
        )
        await self.trail.record(
            lambda audit: self.store.add(key, audit=audit),
            account=account,
            actor=actor,
            action="data_key.created",
            subject=key.id,
            details={"kek": made.wrapped.kek_id, "algorithm": str(key.algorithm)},
        )
        opened = self._as_open(key, self.cipher.keyed(made.plaintext))
        self._keep(opened, forgotten, primary=True)
        return opened

    async def rewrapped(self, key: DataKey) -> WrappedKey:
        """Return *key* wrapped under the current key-encryption key; as it is if it already is.

        Raises:
            Conflict: it was destroyed (code ``data_key_destroyed``).
            PortError: the keeper cannot do it; and as :meth:`get` does.
        """
        if key.state is DataKeyState.DESTROYED:
            raise destroyed()
        context = self._context(key.account)
        return await self.key_encryption.rewrap(key.wrapped, context=context)

    def forget(self, account: str) -> None:
        """Close the account's data keys, also those that are being opened: ask for them anew."""
        self._forgotten += 1
        self._primaries.pop(account, None)
        for name in [name for name in self._open if name[0] == account]:
            del self._open[name]
        for name in [name for name in self._flights if name[0] == account]:
            del self._flights[name]

    def forget_all(self) -> None:
        """Close all data keys, of every account, also those that are being opened."""
        self._forgotten += 1
        self._primaries.clear()
        self._open.clear()
        self._flights.clear()

    async def _opened(self, account: str, data_key_id: str) -> OpenKey:
        forgotten = self._forgotten
        key = await self.store.get(account=account, data_key_id=data_key_id)
        opened = await self._unwrapped(key)
        self._keep(opened, forgotten)
        return opened

    async def _opened_primary(self, account: str) -> OpenKey:
        forgotten = self._forgotten
        key = await self.store.primary_of(account)
        if key is None or self._is_spent(key):
            return await self.make(account, actor="tollkeeper")
        opened = self._kept(self._open, (account, key.id)) or await self._unwrapped(key)
        self._keep(opened, forgotten, primary=True)
        return opened

    async def _unwrapped(self, key: DataKey) -> OpenKey:
        if key.state is DataKeyState.DESTROYED:
            raise destroyed()
        cipher = self._ciphers.get(key.algorithm)
        if cipher is None:
            raise Unsupported(
                f"the value is encrypted with algorithm {key.algorithm}, and no cipher for it is "
                "here; set the cipher that wrote it",
                code="cipher_not_here",
            )
        keyed = _keyed(cipher, await self._unwrap(key.wrapped, key.account), key.commitment)
        if keyed is None:
            raise CorruptResponse(
                "a data key unwraps to another key than was stored; look at what wrote to its row",
                port="key_encryption",
                adapter="data_keys",
                code="data_key_mismatch",
            )
        return self._as_open(key, keyed)

    async def _unwrap(self, wrapped: WrappedKey, account: str) -> bytes:
        return await self.key_encryption.unwrap(wrapped, context=self._context(account))

    def _context(self, account: str) -> Mapping[str, str]:
        return {"tenant": account, "purpose": self.purpose, "env": self.environment}

    def _as_open(self, key: DataKey, keyed: KeyedCipher) -> OpenKey:
        until = self.clock.monotonic() + self.longest_open.total_seconds()
        return OpenKey(key.id, key.account, key.algorithm, keyed, key.created_at, until)

    def _kept(self, kept: "OrderedDict[N, OpenKey]", name: N) -> OpenKey | None:
        found = kept.get(name)
        if found is None:
            return None
        if self.clock.monotonic() >= found.open_until:
            del kept[name]
            return None
        kept.move_to_end(name)
        return found

    def _keep(self, opened: OpenKey, forgotten: int, *, primary: bool = False) -> None:
        if forgotten != self._forgotten:
            return  # somebody forgot something meanwhile, perhaps this very key
        _put(self._open, (opened.account, opened.id), opened, self.most)
        if primary:
            _put(self._primaries, opened.account, opened, self.most)

    def _count(self, data_key_id: str, uses: int) -> None:
        _put(self._uses, data_key_id, uses, self.most * _COUNTED_PER_KEPT)

    def _is_spent(self, key: DataKey | OpenKey) -> bool:
        return (
            self._uses.get(key.id, 0) >= self.most_uses
            or self.clock.now() - key.created_at >= self.longest_life
            or key.algorithm != self.cipher.algorithm
        )

    async def _once(self, name: Name, work: Callable[[], Awaitable[OpenKey]]) -> OpenKey:
        """Do *work* once for all who ask at the same time; if its caller leaves, another does."""
        while (flight := self._flights.get(name)) is not None:
            found = await asyncio.shield(flight)
            if found is not None:
                return found
        flight = asyncio.get_running_loop().create_future()
        self._flights[name] = flight
        try:
            found = await work()
        except Exception as error:
            flight.set_exception(error)
            flight.exception()  # or it is complained about where nobody waits
            raise
        except BaseException:
            flight.set_result(None)
            raise
        else:
            flight.set_result(found)
            return found
        finally:
            if self._flights.get(name) is flight:
                del self._flights[name]


def _keyed(cipher: Cipher, key: bytes, commitment: bytes) -> KeyedCipher | None:
    """Return the cipher under *key*, or None if it is not the key of *commitment*."""
    # Raises nothing: a traceback may show the locals of this frame.
    if not is_key(key) or not hmac.compare_digest(cipher.commitment(key), commitment):
        return None
    return cipher.keyed(key)


def _put(kept: "OrderedDict[N, V]", name: N, value: V, most: int) -> None:
    kept[name] = value
    kept.move_to_end(name)
    while len(kept) > most:
        kept.popitem(last=False)
