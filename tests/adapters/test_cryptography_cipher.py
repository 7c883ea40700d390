"""AES-256-GCM and AES-256-GCM-SIV keep the contract, and give what NIST and RFC 8452 print."""

import multiprocessing
import os
from multiprocessing.connection import Connection
from typing import Any

import pytest

from tollkeeper.adapters.cryptography.cipher import CryptographyCipher, CryptographyKeyedCipher
from tollkeeper.contracts.cipher import CipherContract
from tollkeeper.domain.errors import ConfigurationError, InvalidRequest
from tollkeeper.ports.cipher import Cipher, KeyedCipher

GCM, SIV = 1, 2
SPEC_KEY = "feffe9928665731c6d6a8f9467308308" * 2
SPEC_NONCE = "cafebabefacedbaddecaf888"
SPEC_TEXT = (
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
)
SPEC_BODY = (
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
)
VECTORS = {
    # The GCM specification (McGrew and Viega), test cases 13 to 16, as NIST took it over.
    "GCM 13": (GCM, "00" * 32, "00" * 12, "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
    "GCM 14": (
        *(GCM, "00" * 32, "00" * 12, "", "00" * 16),
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
    ),
    "GCM 15": (
        *(GCM, SPEC_KEY, SPEC_NONCE, "", SPEC_TEXT),
        SPEC_BODY + "b094dac5d93471bdec1a502270e3cc6c",
    ),
    "GCM 16": (
        *(GCM, SPEC_KEY, SPEC_NONCE, "feedfacedeadbeeffeedfacedeadbeefabaddad2", SPEC_TEXT[:-8]),
        SPEC_BODY[:-8] + "76fc6ece0f4e1768cddf8853bb2d551b",
    ),
    # RFC 8452, appendices C.2 and C.3.
    "SIV one byte of data": (
        *(SIV, "01" + "00" * 31, "03" + "00" * 11, "01", "02" + "00" * 15 + "03" + "00" * 15),
        "07dad364bfc2b9da89116d7bef6daaaf6f255510aa654f920ac81b94e8bad365"
        "aea1bad12702e1965604374aab96dbbc",
    ),
    "SIV twelve bytes of data": (
        *(SIV, "01" + "00" * 31, "03" + "00" * 11, "01" + "00" * 11, "02000000"),
        "22b3f4cd1835e517741dfddccfa07fa4661b74cf",
    ),
    "SIV of random": (
        *(SIV, "bae8e37fc83441b16034566b7a806c46bb91c3c5aedb64a6c590bc84d1a5e269"),
        *("e4b47801afc0577e34699b9e", "4fbdc66f14", "671fdd"),
        "0eaccb93da9bb81333aee0c785b240d319719d",
    ),
    "SIV of random, longer": (
        *(SIV, "3c535de192eaed3822a2fbbe2ca9dfc88255e14a661b8aa82cc54236093bbc23"),
        "688089e55540db1872504e1c",
        "734320ccc9d9bbbb19cb81b2af4ecbc3e72834321f7aa0f70b7282b4f33df23f167541",
        "ced532ce4159b035277d4dfbb7db62968b13cd4eec",
        "626660c26ea6612fb17ad91e8e767639edd6c9faee9d6c7029675b89eaf4ba1ded1a286594",
    ),
    "SIV whose counter wraps": (
        *(SIV, "00" * 32, "00" * 12, "", "00" * 16 + "4db923dc793ee6497c76dcc03a98e108"),
        "f3f80f2cf0cb2dd9c5984fcda908456cc537703b5ba70324a6793a7bf218d3ea"
        "ffffffff000000000000000000000000",
    ),
}


class TestAes256Gcm(CipherContract):
    """The algorithm that is used unless another is chosen."""

    @pytest.fixture
    def cipher(self) -> Cipher:
        return CryptographyCipher.from_url("aes256-gcm://")


class TestAes256GcmSiv(CipherContract):
    """The algorithm that a repeated nonce does not break."""

    @pytest.fixture
    def cipher(self) -> Cipher:
        return CryptographyCipher.from_url("aes256-gcm-siv://")


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_known_answers(vector: tuple[int, str, str, str, str, str]) -> None:
    """What NIST and RFC 8452 print decrypts to what they print (T20)."""
    algorithm, key, nonce, data, text, body = vector
    keyed = CryptographyCipher(algorithm).keyed(bytes.fromhex(key))
    found = keyed.decrypt(bytes.fromhex(nonce + body), associated_data=bytes.fromhex(data))
    assert found.hex() == text


@pytest.mark.parametrize("algorithm", [GCM, SIV])
def test_the_commitment_stays_what_it_is(algorithm: int) -> None:
    """It is stored: another derivation would make every value unreadable."""
    made = CryptographyCipher(algorithm).commitment(bytes(range(32)))
    assert (
        made.hex()
        == {
            GCM: "93ce073a940ef5667d3194ec1b40a764",
            SIV: "48cabbe8248e4bf67150dc2ec12d42c6",
        }[algorithm]
    )


def test_each_algorithm_commits_otherwise() -> None:
    key = os.urandom(32)
    assert CryptographyCipher(GCM).commitment(key) != CryptographyCipher(SIV).commitment(key)


@pytest.mark.parametrize("many", [10**5, pytest.param(10**6, marks=pytest.mark.soak)])
def test_no_nonce_comes_twice(many: int) -> None:
    """A million encryptions under one key, as many nonces (T21)."""
    encrypt = CryptographyCipher().keyed(os.urandom(32)).encrypt
    nonces = {encrypt(b"", associated_data=b"")[:12] for _ in range(many)}
    assert len(nonces) == many


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_draws_other_nonces() -> None:
    """Parent and children share the cipher and its state, and repeat none of each other (T21)."""
    keyed = CryptographyCipher().keyed(os.urandom(32))
    drawn = [nonces(keyed)]
    forking = multiprocessing.get_context("fork")
    for _ in range(3):
        ours, theirs = forking.Pipe()
        child = forking.Process(target=send_nonces, args=(theirs, keyed))
        child.start()
        assert ours.poll(30)
        drawn.append(ours.recv())
        child.join(30)
        assert child.exitcode == 0
    drawn.append(nonces(keyed))
    assert len(set().union(*drawn)) == 5 * 1000


def nonces(keyed: KeyedCipher) -> set[bytes]:
    return {keyed.encrypt(b"x", associated_data=b"")[:12] for _ in range(1000)}


def send_nonces(to: Connection, keyed: KeyedCipher) -> None:
    to.send(nonces(keyed))


@pytest.mark.parametrize(("url", "algorithm"), [("aes256-gcm://", 1), ("aes256-gcm-siv://", 2)])
def test_the_url_names_the_algorithm(url: str, algorithm: int) -> None:
    assert CryptographyCipher.from_url(url).algorithm == algorithm


@pytest.mark.parametrize(
    "url",
    ["", "aes256-gcm", "aes256-gcm:///", "aes256-gcm://x", "aes256-gcm://?a=b", "aes128-gcm://", 7],
)
def test_another_url_is_refused(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="write aes256-gcm:// or aes256-gcm-siv://"):
        CryptographyCipher.from_url(url)


@pytest.mark.parametrize("odd", [0, 3, "1", None, True])
def test_another_algorithm_is_refused(odd: Any) -> None:
    with pytest.raises(InvalidRequest, match="algorithm must be 1"):
        CryptographyCipher(odd)


def test_a_cipher_names_its_algorithm_and_nothing_else() -> None:
    keyed = CryptographyCipher(SIV).keyed(bytes(32))
    assert repr(CryptographyCipher(SIV)) == "CryptographyCipher(algorithm=2)"
    assert isinstance(keyed, CryptographyKeyedCipher)
    assert repr(keyed) == "CryptographyKeyedCipher(AESGCMSIV)"
