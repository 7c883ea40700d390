"""The contract of :class:`tollkeeper.ports.cipher.Cipher`."""

import os
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.encryption import ALGORITHMS, LARGEST_PLAINTEXT
from tollkeeper.domain.errors import CorruptResponse, InvalidRequest
from tollkeeper.ports.cipher import Cipher, KeyedCipher

_KEY = bytes(range(100, 132))
_TEXT = b"sk-contract-0123456789"
_DATA = b"acme/credentials/1/secret"
_ODD: tuple[Any, ...] = (b"", bytes(31), bytes(33), "x" * 32, bytearray(32), None, 7)


def _fails(keyed: KeyedCipher, body: Any, data: Any = _DATA) -> bool:
    """Check that *body* is refused with the one answer."""
    with pytest.raises(CorruptResponse) as failed:
        keyed.decrypt(body, associated_data=data)
    assert (failed.value.port, failed.value.code) == ("cipher", "decryption_failed")
    return True


class CipherContract(Contract):
    """What every cipher promises.

    Fixtures: ``cipher``.
    """

    @pytest.fixture
    def keyed(self, cipher: Cipher) -> KeyedCipher:
        """Give the cipher a key."""
        return cipher.keyed(_KEY)

    async def test_the_algorithm_is_one_that_a_sealed_value_names(self, cipher: Cipher) -> None:
        assert cipher.algorithm in ALGORITHMS

    @pytest.mark.parametrize("size", [0, 1, 12, 15, 16, 17, 28, 4096, LARGEST_PLAINTEXT])
    async def test_a_text_comes_back_as_it_was(self, keyed: KeyedCipher, size: int) -> None:
        text = os.urandom(size)
        body = keyed.encrypt(text, associated_data=_DATA)
        assert len(body) == size + 28
        assert keyed.decrypt(body, associated_data=_DATA) == text

    async def test_another_instance_reads_it(self, cipher: Cipher, keyed: KeyedCipher) -> None:
        body = keyed.encrypt(_TEXT, associated_data=_DATA)
        assert cipher.keyed(_KEY).decrypt(body, associated_data=_DATA) == _TEXT

    async def test_the_text_cannot_be_read_in_the_body(self, keyed: KeyedCipher) -> None:
        for text in (_TEXT * 9, bytes(999)):
            body = keyed.encrypt(text, associated_data=_DATA)
            assert text[:8] not in body
            assert _DATA not in body
            assert _KEY not in body

    async def test_one_text_never_gives_the_same_body(self, keyed: KeyedCipher) -> None:
        bodies = [keyed.encrypt(_TEXT, associated_data=_DATA) for _ in range(2000)]
        assert len({body[:12] for body in bodies}) == 2000
        assert len({body[12:] for body in bodies}) == 2000

    async def test_every_bit_that_is_flipped_is_noticed(self, keyed: KeyedCipher) -> None:
        """The nonce, the text and the tag alike (T20)."""
        body = keyed.encrypt(_TEXT, associated_data=_DATA)
        for at in range(len(body) * 8):
            flipped = bytearray(body)
            flipped[at // 8] ^= 1 << at % 8
            assert _fails(keyed, bytes(flipped))

    async def test_every_cut_and_every_addition_is_noticed(self, keyed: KeyedCipher) -> None:
        """At the end and at the beginning (T20)."""
        body = keyed.encrypt(_TEXT, associated_data=_DATA)
        for cut in range(len(body)):
            assert _fails(keyed, body[:cut])
            assert _fails(keyed, body[cut + 1 :])
        for more in (b"\0", b"\1", b"\0" * 16, body):
            assert _fails(keyed, body + more)
            assert _fails(keyed, more + body)

    @pytest.mark.parametrize("odd", [None, "text", 7, [1]], ids=ascii)
    async def test_what_is_no_bytes_is_refused_alike(self, keyed: KeyedCipher, odd: Any) -> None:
        assert _fails(keyed, odd)
        assert _fails(keyed, keyed.encrypt(_TEXT, associated_data=_DATA), odd)

    async def test_other_associated_data_is_noticed(self, keyed: KeyedCipher) -> None:
        body = keyed.encrypt(_TEXT, associated_data=_DATA)
        for other in (b"", _DATA[:-1], _DATA + b"\0", _DATA.swapcase(), _DATA[::-1], _TEXT):
            assert _fails(keyed, body, other)
        assert _fails(keyed, keyed.encrypt(_TEXT, associated_data=b""))

    async def test_another_key_is_noticed(self, cipher: Cipher, keyed: KeyedCipher) -> None:
        body = keyed.encrypt(_TEXT, associated_data=_DATA)
        for at in range(256):
            other = bytearray(_KEY)
            other[at // 8] ^= 1 << at % 8
            assert _fails(cipher.keyed(bytes(other)), body)

    @pytest.mark.parametrize("odd", [None, "text", bytearray(8), bytes(LARGEST_PLAINTEXT + 1)])
    async def test_what_cannot_be_encrypted_is_refused(self, keyed: KeyedCipher, odd: Any) -> None:
        with pytest.raises(InvalidRequest) as refused:
            keyed.encrypt(odd, associated_data=_DATA)
        assert refused.value.code == "invalid_plaintext"
        with pytest.raises(InvalidRequest) as refused:
            keyed.encrypt(_TEXT, associated_data=odd)
        assert refused.value.code == "invalid_associated_data"

    @pytest.mark.parametrize("odd", _ODD, ids=lambda odd: ascii(odd)[:12])
    async def test_a_key_is_32_bytes(self, cipher: Cipher, odd: Any) -> None:
        for use in (cipher.keyed, cipher.commitment):
            with pytest.raises(InvalidRequest) as refused:
                use(odd)
            assert refused.value.code == "invalid_encryption_key"

    async def test_a_commitment_tells_one_key_from_every_other(self, cipher: Cipher) -> None:
        made = cipher.commitment(_KEY)
        assert type(made) is bytes
        assert len(made) == 16
        assert made == cipher.commitment(_KEY)
        others = [os.urandom(32) for _ in range(500)]
        for at in range(256):
            near = bytearray(_KEY)
            near[at // 8] ^= 1 << at % 8
            others.append(bytes(near))
        assert len({made, *map(cipher.commitment, others)}) == 757

    async def test_a_commitment_holds_nothing_of_the_key(self, cipher: Cipher) -> None:
        made = cipher.commitment(_KEY)
        assert not any(_KEY[at : at + 3] in made for at in range(30))

    async def test_nothing_shows_a_key_or_a_text(self, cipher: Cipher, keyed: KeyedCipher) -> None:
        key, text = b"hidden-key-hidden-key-hidden-key", b"hidden-text"
        under = cipher.keyed(key)
        body = under.encrypt(text, associated_data=_DATA)
        shown = f"{cipher!r} {cipher} {under!r} {under}"
        for fail in (
            lambda: under.decrypt(body + b"x", associated_data=_DATA),
            lambda: keyed.decrypt(body, associated_data=_DATA),
            lambda: under.encrypt(text * LARGEST_PLAINTEXT, associated_data=_DATA),
            lambda: under.encrypt(text, associated_data=bytes(LARGEST_PLAINTEXT + 1)),
            lambda: cipher.keyed(key * 2),
            lambda: cipher.commitment(key[1:]),
        ):
            with pytest.raises((CorruptResponse, InvalidRequest)) as failed:
                fail()
            assert failed.tb.tb_next is not None
            # The first two frames are this test's own, which knows the key.
            inside = failed.tb.tb_next.tb_next
            told = traceback.TracebackException(
                failed.type, failed.value, inside, capture_locals=True
            )
            shown += "".join(told.format())
        assert "hidden" not in shown

    async def test_threads_may_share_one(self, keyed: KeyedCipher) -> None:
        def use(thread: int) -> int:
            texts = [os.urandom(64) for _ in range(200)]
            data = [f"{thread}/{at}".encode() for at in range(200)]
            bodies = [
                keyed.encrypt(text, associated_data=each)
                for text, each in zip(texts, data, strict=True)
            ]
            back = [
                keyed.decrypt(body, associated_data=each)
                for body, each in zip(bodies, data, strict=True)
            ]
            assert back == texts
            return len({body[:12] for body in bodies})

        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(use, range(8))) == [200] * 8
