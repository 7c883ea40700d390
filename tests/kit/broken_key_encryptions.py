"""Keepers of key-encryption keys with one fault each, for their suite to find."""

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from attrs import evolve

from tollkeeper.adapters.cryptography.key_encryption import CryptographyKeyEncryption
from tollkeeper.adapters.cryptography.keyring import KekState, Keyring
from tollkeeper.domain.encryption import WrappedKey
from tollkeeper.domain.errors import CorruptResponse, InvalidRequest, Rejected
from tollkeeper.ports.key_encryption import GeneratedKey

_AT = datetime(2001, 1, 1, 12, tzinfo=UTC)
Context = Mapping[str, str]


class Sound(CryptographyKeyEncryption):
    """Keeps its keyring in memory; whoever tests it may change it."""

    def __init__(self) -> None:
        self.ring = Keyring.new(at=_AT)
        super().__init__(self.ring)

    async def _keyring(self) -> Keyring:
        return self.ring

    async def rotate(self) -> None:
        self.ring = self.ring.with_new_primary(at=_AT)

    async def disable(self, kek_id: str) -> None:
        self.ring = self.ring.with_disabled(kek_id)


class OneKey(Sound):
    """Hands the same key to everyone."""

    made: GeneratedKey | None = None

    async def generate(self, *, context: Context) -> GeneratedKey:
        if self.made is None:
            self.made = await super().generate(context=context)
        return self.made


class ShortKeys(Sound):
    """Makes keys of 16 bytes."""

    async def generate(self, *, context: Context) -> GeneratedKey:
        made = await super().generate(context=context)
        return evolve(made, plaintext=made.plaintext[:16])


class OnceOnly(Sound):
    """Unwraps a key one time."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[bytes] = set()

    async def unwrap(self, wrapped: WrappedKey, *, context: Context) -> bytes:
        key = await super().unwrap(wrapped, context=context)
        if wrapped.ciphertext in self.seen:
            return bytes(32)
        self.seen.add(wrapped.ciphertext)
        return key


class NamesTheOldest(Sound):
    """Says that another key wraps than the one that does."""

    async def current(self) -> str:
        return self.ring.keys[-1].id + "0"


class PlainBeside(Sound):
    """Keeps the key beside the wrapped one."""

    async def generate(self, *, context: Context) -> GeneratedKey:
        made = await super().generate(context=context)
        text = made.plaintext + made.wrapped.ciphertext
        return evolve(made, wrapped=evolve(made.wrapped, ciphertext=text))


class OrderedContext(Sound):
    """Binds keys to the order of their context."""

    def _bound(self, context: Context) -> Context:
        return {**context, "order": "".join(context)[:200] or "-"} if context else context

    async def generate(self, *, context: Context) -> GeneratedKey:
        return await super().generate(context=self._bound(context))

    async def unwrap(self, wrapped: WrappedKey, *, context: Context) -> bytes:
        return await super().unwrap(wrapped, context=self._bound(context))


class JoinedContext(Sound):
    """Binds keys to the context's texts, one after the other with nothing between."""

    def _bound(self, context: Context) -> Context:
        joined = "".join(text for pair in context.items() for text in pair)
        return {"joined": hashlib.sha256(joined.encode()).hexdigest()}

    async def generate(self, *, context: Context) -> GeneratedKey:
        return await super().generate(context=self._bound(context))

    async def unwrap(self, wrapped: WrappedKey, *, context: Context) -> bytes:
        return await super().unwrap(wrapped, context=self._bound(context))


class RewrapsForAnyone(Sound):
    """Does not look at the context where it wraps anew."""

    async def rewrap(self, wrapped: WrappedKey, *, context: Context) -> WrappedKey:
        try:
            return await super().rewrap(wrapped, context=context)
        except CorruptResponse:
            return wrapped


class ZerosForDamage(Sound):
    """Hands out zeros where a key does not unwrap."""

    async def unwrap(self, wrapped: WrappedKey, *, context: Context) -> bytes:
        try:
            return await super().unwrap(wrapped, context=context)
        except CorruptResponse:
            return bytes(32)


class TriesAllKeys(Sound):
    """Does not ask which key it was."""

    async def unwrap(self, wrapped: WrappedKey, *, context: Context) -> bytes:
        for key in self.ring.keys:
            try:
                return await super().unwrap(evolve(wrapped, kek_id=key.id), context=context)
            except (CorruptResponse, Rejected):
                continue
        raise CorruptResponse("no", port="key_encryption", adapter="x", code="decryption_failed")


class UnknownIsDamage(Sound):
    """Says that a key is damaged where its key is not there."""

    async def unwrap(self, wrapped: WrappedKey, *, context: Context) -> bytes:
        try:
            return await super().unwrap(wrapped, context=context)
        except Rejected:
            raise CorruptResponse(
                "no", port="key_encryption", adapter="x", code="decryption_failed"
            ) from None


class NamesNoKey(Sound):
    """Keeps to itself which key is not there."""

    async def unwrap(self, wrapped: WrappedKey, *, context: Context) -> bytes:
        try:
            return await super().unwrap(wrapped, context=context)
        except Rejected:
            raise Rejected(
                "no such key", port="key_encryption", adapter="x", code="kek_unknown"
            ) from None


class NeverRotates(Sound):
    """Looks at its keys once."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self.ring

    async def _keyring(self) -> Keyring:
        return self.first


class ForgetsTheFormer(Sound):
    """Drops the key that wrapped before."""

    async def rotate(self) -> None:
        await super().rotate()
        self.ring = evolve(self.ring, keys=self.ring.keys[:1])


class RewrapsNothing(Sound):
    """Leaves each key as it is."""

    async def rewrap(self, wrapped: WrappedKey, *, context: Context) -> WrappedKey:
        await super().rewrap(wrapped, context=context)
        return wrapped


class RewrapsAnother(Sound):
    """Wraps a new key in the place of the old one."""

    async def rewrap(self, wrapped: WrappedKey, *, context: Context) -> WrappedKey:
        same = await super().rewrap(wrapped, context=context)
        if same is wrapped:
            return wrapped
        return (await self.generate(context=context)).wrapped


class RewrapsAlways(Sound):
    """Wraps anew what is under the current key already."""

    async def rewrap(self, wrapped: WrappedKey, *, context: Context) -> WrappedKey:
        return evolve(await super().rewrap(wrapped, context=context))


class DisablesNothing(Sound):
    """Goes on with a key that was disabled."""

    async def _keyring(self) -> Keyring:
        keys = (
            evolve(key, state=KekState.READABLE) if key.state is KekState.DISABLED else key
            for key in self.ring.keys
        )
        return evolve(self.ring, keys=tuple(keys))


class TakesAnyContext(Sound):
    """Refuses no context."""

    async def generate(self, *, context: Context) -> GeneratedKey:
        try:
            return await super().generate(context=context)
        except InvalidRequest:
            return await super().generate(context={"a": "b"})


class TakesAnyType(Sound):
    """Lets Python speak of what is no wrapped key."""

    async def unwrap(self, wrapped: WrappedKey, *, context: Context) -> bytes:
        return await super().unwrap(evolve(wrapped), context=context)


class _Showing(GeneratedKey):
    def __repr__(self) -> str:
        return f"GeneratedKey({self.plaintext!r})"


class ShowsKeys(Sound):
    """Hands out keys that show themselves."""

    async def generate(self, *, context: Context) -> GeneratedKey:
        made = await super().generate(context=context)
        return _Showing(made.plaintext, made.wrapped)


class OneAtATime(Sound):
    """Mixes callers up that come together."""

    context: Context

    async def generate(self, *, context: Context) -> GeneratedKey:
        self.context = context
        await asyncio.sleep(0)
        return await super().generate(context=self.context)


class LockedForEver(Sound):
    """Keeps its lock when a caller leaves."""

    locked = False

    async def unwrap(self, wrapped: WrappedKey, *, context: Context) -> bytes:
        for _ in range(100):
            if not self.locked:
                break
            await asyncio.sleep(0)
        else:
            raise Rejected("locked", port="key_encryption", adapter="x")
        self.locked = True
        await asyncio.sleep(0)
        self.locked = False
        return await super().unwrap(wrapped, context=context)
