"""The contract of :class:`tollkeeper.ports.key_encryption.KeyEncryption`."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from attrs import evolve

from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.encryption import WrappedKey
from tollkeeper.domain.errors import CorruptResponse, InvalidRequest, Rejected
from tollkeeper.ports.key_encryption import KeyEncryption

Rotate = Callable[[], Awaitable[None]]
"""Makes a new key-encryption key current behind the adapter; the former one stays readable."""
Disable = Callable[[str], Awaitable[None]]
"""Disables a key-encryption key, by its id, behind the adapter."""

_CONTEXT = {"tenant": "acme", "purpose": "credentials", "env": "test"}
_OTHERS: tuple[Mapping[str, str], ...] = (
    {"tenant": "acme", "purpose": "credentials"},
    {**_CONTEXT, "more": "x"},
    {**_CONTEXT, "tenant": "acme2"},
    {**_CONTEXT, "tenant": "acm", "purpose": "ecredentials"},
    {**_CONTEXT, "env": "live"},
    {"tenant": "credentials", "purpose": "acme", "env": "test"},
    {"tenan": "tacme", "purpose": "credentials", "env": "test"},
)
_MALFORMED: tuple[Any, ...] = (
    {},
    None,
    "tenant",
    {"tenant": 1},
    {1: "acme"},
    {"tenant": ""},
    {"": "acme"},
    {"tenant": "a\nb"},
    {"tenant": "a" * 256},
    {str(n): "a" for n in range(9)},
)


async def _is_corrupt(work: Awaitable[object]) -> bool:
    """Check that *work* fails with the one answer to what does not unwrap."""
    with pytest.raises(CorruptResponse) as failed:
        await work
    assert (failed.value.port, failed.value.code) == ("key_encryption", "decryption_failed")
    return True


async def _is_unknown(work: Awaitable[object], kek_id: str) -> bool:
    """Check that *work* fails since there is no such key-encryption key, and names it."""
    with pytest.raises(Rejected) as failed:
        await work
    assert (failed.value.port, failed.value.code) == ("key_encryption", "kek_unknown")
    assert kek_id in failed.value.public_message
    return True


class KeyEncryptionContract(Contract):
    """What every keeper of key-encryption keys promises.

    Fixtures: ``key_encryption``; ``rotate`` and ``disable``, which change its keys behind it (see
    :data:`Rotate` and :data:`Disable`); override ``unknown_kek`` where its ids read otherwise.
    """

    @pytest.fixture
    def unknown_kek(self) -> str:
        """Name a key-encryption key that never was."""
        return "kek_0000000000000000"

    async def test_a_data_key_unwraps_to_what_it_was(self, key_encryption: KeyEncryption) -> None:
        made = await key_encryption.generate(context=_CONTEXT)
        assert type(made.plaintext) is bytes
        assert len(made.plaintext) == 32
        for _ in range(3):
            assert await key_encryption.unwrap(made.wrapped, context=_CONTEXT) == made.plaintext

    async def test_no_data_key_is_made_twice(self, key_encryption: KeyEncryption) -> None:
        made = [await key_encryption.generate(context=_CONTEXT) for _ in range(30)]
        assert len({each.plaintext for each in made}) == 30
        assert len({each.wrapped.ciphertext for each in made}) == 30

    async def test_a_wrapped_key_names_the_current_key(self, key_encryption: KeyEncryption) -> None:
        current = await key_encryption.current()
        made = await key_encryption.generate(context=_CONTEXT)
        assert type(made.wrapped) is WrappedKey
        assert made.wrapped.kek_id == current == await key_encryption.current()

    async def test_a_wrapped_key_holds_nothing_of_the_key(
        self, key_encryption: KeyEncryption
    ) -> None:
        made = await key_encryption.generate(context=_CONTEXT)
        assert not any(made.plaintext[at : at + 4] in made.wrapped.ciphertext for at in range(28))

    async def test_the_order_of_the_context_does_not_matter(
        self, key_encryption: KeyEncryption
    ) -> None:
        made = await key_encryption.generate(context=_CONTEXT)
        turned = dict(reversed(_CONTEXT.items()))
        assert await key_encryption.unwrap(made.wrapped, context=turned) == made.plaintext

    @pytest.mark.parametrize("other", _OTHERS, ids=range(len(_OTHERS)))
    async def test_another_context_does_not_unwrap(
        self, key_encryption: KeyEncryption, rotate: Rotate, other: Mapping[str, str]
    ) -> None:
        made = await key_encryption.generate(context=_CONTEXT)
        assert await _is_corrupt(key_encryption.unwrap(made.wrapped, context=other))
        await rotate()
        assert await _is_corrupt(key_encryption.rewrap(made.wrapped, context=other))

    async def test_a_damaged_key_does_not_unwrap(
        self, key_encryption: KeyEncryption, rotate: Rotate
    ) -> None:
        """At its end, where each keeper has the encrypted key and its tag (T20)."""
        wrapped = (await key_encryption.generate(context=_CONTEXT)).wrapped
        whole = wrapped.ciphertext
        damaged = [whole[:-1], whole[:-16], whole + b"\0"]
        for at in range(len(whole) - 32, len(whole)):
            flipped = bytearray(whole)
            flipped[at] ^= 1
            damaged += [bytes(flipped)]
        for each in damaged:
            bad = evolve(wrapped, ciphertext=each)
            assert await _is_corrupt(key_encryption.unwrap(bad, context=_CONTEXT))
        await rotate()
        assert await _is_corrupt(
            key_encryption.rewrap(evolve(wrapped, ciphertext=damaged[-1]), context=_CONTEXT)
        )

    async def test_a_key_that_was_destroyed_does_not_unwrap(
        self, key_encryption: KeyEncryption
    ) -> None:
        gone = WrappedKey(await key_encryption.current(), b"")
        assert await _is_corrupt(key_encryption.unwrap(gone, context=_CONTEXT))

    async def test_a_key_of_another_key_than_it_says_does_not_unwrap(
        self, key_encryption: KeyEncryption, rotate: Rotate
    ) -> None:
        made = await key_encryption.generate(context=_CONTEXT)
        await rotate()
        mixed = evolve(made.wrapped, kek_id=await key_encryption.current())
        assert await _is_corrupt(key_encryption.unwrap(mixed, context=_CONTEXT))

    async def test_an_unknown_key_is_named(
        self, key_encryption: KeyEncryption, unknown_kek: str
    ) -> None:
        made = await key_encryption.generate(context=_CONTEXT)
        lost = evolve(made.wrapped, kek_id=unknown_kek)
        assert await _is_unknown(key_encryption.unwrap(lost, context=_CONTEXT), unknown_kek)
        assert await _is_unknown(key_encryption.rewrap(lost, context=_CONTEXT), unknown_kek)

    async def test_a_rotation_is_seen_at_once_and_loses_nothing(
        self, key_encryption: KeyEncryption, rotate: Rotate
    ) -> None:
        keks, made = [], []
        for _ in range(3):
            keks.append(await key_encryption.current())
            made.append(await key_encryption.generate(context=_CONTEXT))
            await rotate()
        assert len({*keks, await key_encryption.current()}) == 4
        assert [each.wrapped.kek_id for each in made] == keks
        for each in made:
            assert await key_encryption.unwrap(each.wrapped, context=_CONTEXT) == each.plaintext

    async def test_a_key_is_wrapped_anew_under_the_current_key(
        self, key_encryption: KeyEncryption, rotate: Rotate
    ) -> None:
        made = await key_encryption.generate(context=_CONTEXT)
        await rotate()
        anew = await key_encryption.rewrap(made.wrapped, context=_CONTEXT)
        assert anew.kek_id == await key_encryption.current() != made.wrapped.kek_id
        for each in (anew, made.wrapped):
            assert await key_encryption.unwrap(each, context=_CONTEXT) == made.plaintext

    async def test_a_key_under_the_current_key_stays_as_it_is(
        self, key_encryption: KeyEncryption, rotate: Rotate
    ) -> None:
        made = await key_encryption.generate(context=_CONTEXT)
        assert await key_encryption.rewrap(made.wrapped, context=_CONTEXT) is made.wrapped
        await rotate()
        anew = await key_encryption.rewrap(made.wrapped, context=_CONTEXT)
        assert await key_encryption.rewrap(anew, context=_CONTEXT) is anew

    async def test_a_disabled_key_unwraps_nothing(
        self, key_encryption: KeyEncryption, rotate: Rotate, disable: Disable
    ) -> None:
        old = (await key_encryption.generate(context=_CONTEXT)).wrapped
        await rotate()
        anew = await key_encryption.rewrap(old, context=_CONTEXT)
        await disable(old.kek_id)
        assert await _is_unknown(key_encryption.unwrap(old, context=_CONTEXT), old.kek_id)
        assert await _is_unknown(key_encryption.rewrap(old, context=_CONTEXT), old.kek_id)
        assert len(await key_encryption.unwrap(anew, context=_CONTEXT)) == 32

    @pytest.mark.parametrize("odd", _MALFORMED, ids=range(len(_MALFORMED)))
    async def test_a_malformed_context_is_refused(
        self, key_encryption: KeyEncryption, odd: Any
    ) -> None:
        wrapped = (await key_encryption.generate(context=_CONTEXT)).wrapped
        for use in (
            key_encryption.generate(context=odd),
            key_encryption.unwrap(wrapped, context=odd),
            key_encryption.rewrap(wrapped, context=odd),
        ):
            with pytest.raises(InvalidRequest) as refused:
                await use
            assert refused.value.code == "invalid_context"

    @pytest.mark.parametrize("odd", [None, b"x" * 61, "kek", 7], ids=ascii)
    async def test_what_is_no_wrapped_key_is_refused(
        self, key_encryption: KeyEncryption, odd: Any
    ) -> None:
        for use in (key_encryption.unwrap, key_encryption.rewrap):
            with pytest.raises(InvalidRequest) as refused:
                await use(odd, context=_CONTEXT)
            assert refused.value.code == "invalid_wrapped_key"

    async def test_nothing_shows_a_key(self, key_encryption: KeyEncryption) -> None:
        made = await key_encryption.generate(context=_CONTEXT)
        with pytest.raises(CorruptResponse) as failed:
            await key_encryption.unwrap(made.wrapped, context={"tenant": "another"})
        inside = failed.tb.tb_next  # the first frame is this test's own
        told = traceback.TracebackException(failed.type, failed.value, inside, capture_locals=True)
        shown = f"{made!r} {made} {key_encryption!r} {''.join(told.format())}"
        assert repr(made.plaintext)[2:-1] not in shown
        assert made.plaintext.hex() not in shown
        assert repr(made.wrapped.ciphertext)[2:-1] not in repr(made)

    async def test_many_callers_at_once_get_each_their_own(
        self, key_encryption: KeyEncryption
    ) -> None:
        contexts = [{**_CONTEXT, "tenant": f"tenant{n}"} for n in range(16)]
        made = await asyncio.gather(*(key_encryption.generate(context=each) for each in contexts))
        back = await asyncio.gather(
            *(
                key_encryption.unwrap(each.wrapped, context=context)
                for each, context in zip(made, contexts, strict=True)
            )
        )
        assert back == [each.plaintext for each in made]
        assert len(set(back)) == 16

    @pytest.mark.parametrize("ticks", [0, 1, 2, 5, 20])
    async def test_a_caller_who_gives_up_leaves_it_to_others(
        self, key_encryption: KeyEncryption, ticks: int
    ) -> None:
        made = await key_encryption.generate(context=_CONTEXT)
        tasks = [
            asyncio.ensure_future(key_encryption.unwrap(made.wrapped, context=_CONTEXT))
            for _ in range(8)
        ]
        for _ in range(ticks):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert answers[1::2] == [made.plaintext] * 4
        assert await key_encryption.unwrap(made.wrapped, context=_CONTEXT) == made.plaintext
