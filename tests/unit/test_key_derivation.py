"""Keys are derived as RFC 5869 says; the reference is the HKDF of the cryptography package."""

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.key_derivation import derive_key


def reference(secret: bytes, purpose: str, length: int = 32) -> bytes:
    return HKDF(SHA256(), length, salt=b"tollkeeper", info=purpose.encode()).derive(secret)


@given(st.binary(max_size=200), st.text(max_size=50), st.integers(1, 32))
def test_a_key_is_the_one_of_the_reference(secret: bytes, purpose: str, length: int) -> None:
    assert derive_key(secret, purpose, length=length) == reference(secret, purpose, length)


@pytest.mark.parametrize(
    ("secret", "purpose", "expected"),
    [
        (
            bytes(range(32)),
            "audit/v1",
            "00cfd33b31b9a9a9b675dbbf98a8aab1939c7ca82c3f3b5bdb932111dc35171e",
        ),
        (
            bytes(range(32)),
            "apikey-seal/v1",
            "603f7bddbc4027fe523900063e2103dcba226a1a0577a219d1514f48f921fba6",
        ),
        (
            bytes(range(32)),
            "audit-key/v1",
            "2218c2d5ba786a02d2ccec05c6c9f5b54677afabfa837990c050854012fbab9c",
        ),
        (
            b"\x0b" * 22,
            "",
            "4351ca4686e5664db15c2a3cf4130a417128b1ccf9ea7959cc3f535f02dc574c",
        ),
    ],
)
def test_a_key_stays_what_it_was(secret: bytes, purpose: str, expected: str) -> None:
    """What was sealed and chained with these keys lies in stores: they never change."""
    assert derive_key(secret, purpose).hex() == expected
    assert reference(secret, purpose).hex() == expected


def test_each_secret_and_purpose_gives_another_key() -> None:
    asked = [(bytes(32), "a"), (bytes(32), "b"), (bytes(31), "a"), (bytes(32), "a\x01")]
    assert len({derive_key(*each) for each in [*asked, (bytes(32), "")]}) == 5


def test_a_shorter_key_is_the_beginning_of_the_longer() -> None:
    assert derive_key(b"secret", "purpose", length=16) == derive_key(b"secret", "purpose")[:16]
