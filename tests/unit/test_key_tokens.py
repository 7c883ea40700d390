"""A token is refused unless every character is right; the store keeps nothing of it."""

import contextlib
import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from tollkeeper.domain.errors import InvalidRequest, Unauthenticated
from tollkeeper.domain.key_tokens import (
    ParsedToken,
    Pepper,
    checked_prefix,
    display_prefix,
    encode_kid,
    encode_token,
    matches,
    parse_token,
)

PREFIX = "tk_live"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PEPPER = Pepper(bytes(range(32)))
KIDS = st.binary(min_size=10, max_size=10)
SECRETS = st.binary(min_size=32, max_size=32)
TOKENS = st.builds(lambda kid, secret: encode_token(PREFIX, encode_kid(kid), secret), KIDS, SECRETS)
TOKEN = encode_token(PREFIX, encode_kid(bytes(range(10))), bytes(range(100, 132)))
CHARACTERS = st.sampled_from(f"{BASE62}_-. \n\0é٣\N{LATIN SMALL LETTER LONG S}")


def is_refused(token: str, prefix: str = PREFIX) -> bool:
    with pytest.raises(Unauthenticated) as refused:
        parse_token(token, prefix=prefix)
    assert str(refused.value) == "the API key is not valid"
    assert refused.value.code == "unauthenticated"
    assert refused.value.__cause__ is None
    return True


@given(KIDS, SECRETS, st.from_regex(r"[a-z][a-z0-9]{0,15}_[a-z0-9]{1,16}", fullmatch=True))
def test_a_token_reads_as_it_was_written(kid: bytes, secret: bytes, prefix: str) -> None:
    name = encode_kid(kid)
    token = encode_token(prefix, name, secret)
    assert parse_token(token, prefix=prefix) == ParsedToken(name, token)
    assert re.fullmatch(r"[0-9A-Za-z_]+", token)
    assert len(token) == len(prefix) + 67
    assert token.startswith(display_prefix(prefix, name)[:-1])


@given(SECRETS, SECRETS)
def test_two_secrets_never_make_one_token(one: bytes, other: bytes) -> None:
    kid = encode_kid(bytes(10))
    same = encode_token(PREFIX, kid, one) == encode_token(PREFIX, kid, other)
    assert same is (one == other)


@given(TOKENS, st.integers(0, 73), CHARACTERS)
def test_any_character_that_is_edited_is_noticed(token: str, at: int, new: str) -> None:
    """Edit one (T1)."""
    edited = token[:at] + new + token[at + 1 :]
    assert edited == token or is_refused(edited)


@given(TOKENS, st.integers(0, 74), CHARACTERS)
def test_any_character_that_is_inserted_is_noticed(token: str, at: int, new: str) -> None:
    """Insert one (T1)."""
    assert is_refused(token[:at] + new + token[at:])


@given(TOKENS, st.integers(0, 73), st.integers(1, 74))
def test_any_characters_that_are_missing_are_noticed(token: str, at: int, count: int) -> None:
    """Delete some (T1)."""
    assert is_refused(token[:at] + token[at + count :])


@given(TOKENS, st.integers(0, 72))
def test_two_neighbours_that_change_places_are_noticed(token: str, at: int) -> None:
    """Swap two (T1)."""
    swapped = token[:at] + token[at + 1] + token[at] + token[at + 2 :]
    assert swapped == token or is_refused(swapped)


@given(TOKENS, st.integers(0, 73))
def test_any_change_of_case_is_noticed(token: str, at: int) -> None:
    """Change a case (T1)."""
    changed = token[:at] + token[at].swapcase() + token[at + 1 :]
    assert changed == token or is_refused(changed)
    assert is_refused(token.upper())
    assert is_refused(token.swapcase())


@pytest.mark.parametrize("at", range(len(TOKEN)))
def test_every_single_character_counts(at: int) -> None:
    for new in f"{BASE62}_":
        edited = TOKEN[:at] + new + TOKEN[at + 1 :]
        assert edited == TOKEN or is_refused(edited)


@given(TOKENS, SECRETS)
def test_a_forger_who_computes_the_checksum_is_refused_by_the_verifier(
    token: str, guess: bytes
) -> None:
    """Forge the checksum: it reads as a token, and is a wrong one (T1)."""
    verifier = PEPPER.verifier(token)
    kid = parse_token(token, prefix=PREFIX).kid
    forged = encode_token(PREFIX, kid, guess)
    assert parse_token(forged, prefix=PREFIX).kid == kid
    assert matches(forged, verifier, PEPPER) is (forged == token)
    assert matches(token, verifier, PEPPER)


@given(st.text() | st.text(f"{BASE62}_", min_size=74, max_size=74) | st.binary())
@settings(max_examples=500)
def test_whatever_is_sent_is_refused_in_the_same_words(text: str) -> None:
    assert is_refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "\0", "\0" * 74, "tk_live_", "é" * 74, "\ud800" * 74,
        "\N{FULLWIDTH LATIN SMALL LETTER T}" + TOKEN[1:],
        TOKEN + "\n", "\n" + TOKEN, " " + TOKEN, TOKEN + "\0", TOKEN * 2, "Bearer " + TOKEN,
        "x" * (1 << 20), TOKEN + "0" * (1 << 20), "' OR 1=1 --", "tk_live_" + "%" * 66,
        None, 5, b"tk_live", [TOKEN], {"token": TOKEN}, 0.5,
    ],
    ids=lambda text: repr(text)[:40],
)  # fmt: skip
def test_nonsense_is_refused(text: str) -> None:
    assert is_refused(text)


def test_a_key_of_another_prefix_is_refused() -> None:
    assert is_refused(TOKEN, prefix="tk_test")
    assert is_refused(TOKEN, prefix="tk_liv")
    assert is_refused(TOKEN, prefix="tk_livee")
    assert is_refused(encode_token("tk_test", encode_kid(bytes(10)), bytes(32)))


def _fuzz(count: int) -> None:
    """Send *count* texts and byte strings, near and far from a token; each is refused alike."""
    random = Random(5)
    alphabets = [f"{BASE62}_", "\0\r\n\x1b ", "é\u0663\u202e\ud800\U0001f511", "'\";%*{}[]()\\"]
    for number in range(count):
        at, length = random.randrange(len(TOKEN)), random.choice((0, 1, 5, 73, 74, 75, 200))
        some = "".join(random.choices(alphabets[number % 4], k=length))
        for text in (some, TOKEN[:at] + some[:7] + TOKEN[at + 7 :], random.randbytes(length)):
            if text == TOKEN:
                continue
            with contextlib.suppress(Unauthenticated):
                parse_token(text, prefix=PREFIX)  # type: ignore[arg-type]  # bytes are part of it
                raise AssertionError(ascii(text))


def test_whatever_is_sent_is_refused_and_nothing_else_is_raised() -> None:
    """10^5 texts and byte strings, among them NUL, surrogates and what is no ASCII (T1)."""
    _fuzz(34_000)
    for megabyte in ("x" * (1 << 20), TOKEN * 14_000, "\0" * (1 << 20), "é" * (1 << 20)):
        assert is_refused(megabyte)


@pytest.mark.soak
def test_a_million_things_are_refused_and_nothing_else_is_raised() -> None:
    """10^6 of them (T1)."""
    _fuzz(334_000)


@given(TOKENS, st.binary(min_size=32, max_size=80), st.binary(min_size=32, max_size=80))
def test_a_verifier_depends_on_the_pepper(token: str, one: bytes, other: bytes) -> None:
    a, b = Pepper(one), Pepper(other)
    assert len(a.verifier(token)) == 32
    # HMAC pads its key with zeros; peppers that differ in nothing else are the same to it.
    same = one.ljust(64, b"\0") == other.ljust(64, b"\0")
    assert same or a.verifier(token) != b.verifier(token)
    assert matches(token, a.verifier(token), a)
    assert same or not matches(token, a.verifier(token), b)


def test_a_verifier_depends_on_every_character() -> None:
    verifier = PEPPER.verifier(TOKEN)
    for at in range(len(TOKEN)):
        other = TOKEN[:at] + ("0" if TOKEN[at] != "0" else "1") + TOKEN[at + 1 :]
        assert not matches(other, verifier, PEPPER)


def test_what_was_issued_and_stored_long_ago_still_works() -> None:
    # Written down once: another format would end every key there is.
    token = "tk_live_000g40r40m30e209_No287qEH4uQv9vBo5cxQTXAw02KFtzjuPbCrH1FrBEB1MyhDb"
    verifier = "64ac09dd31a80a121f7a159ddf9024029d68b1fd7308dc615dd4edd18993744e"
    assert token == TOKEN
    assert parse_token(token, prefix=PREFIX).kid == "000g40r40m30e209"
    assert PEPPER.id == "64f553abe63e"
    assert matches(token, bytes.fromhex(verifier), PEPPER)


def test_what_is_stored_holds_nothing_of_the_token() -> None:
    random = Random(3)
    for _ in range(1000):
        token = encode_token(PREFIX, encode_kid(random.randbytes(10)), random.randbytes(32))
        stored = PEPPER.verifier(token)
        assert token[-49:].encode() not in stored
        assert not any(token[i : i + 6].encode() in stored for i in range(len(token) - 6))


@pytest.mark.parametrize("value", [b"", b"x" * 31, "x" * 32, None, 32, bytearray(32)], ids=repr)
def test_a_pepper_is_32_bytes_or_more(value: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Pepper(value)
    assert refused.value.code == "weak_pepper"


def test_a_pepper_is_named_without_being_told() -> None:
    value = b"a-pepper-that-nobody-may-ever-see"
    pepper = Pepper(value)
    # rich, which shows tracebacks, goes by the fields of a class.
    for text in (repr(pepper), str(pepper), f"{pepper}", pepper.id, pretty_repr(pepper)):
        assert value.decode() not in text
        assert value.hex() not in text
    assert pepper.id == Pepper(value).id != PEPPER.id


@pytest.mark.parametrize("prefix", ["tk_live", "a_0", "a" * 16 + "_" + "b" * 16])
def test_a_prefix_is_brand_and_environment(prefix: str) -> None:
    assert checked_prefix(prefix) == prefix


@pytest.mark.parametrize(
    "prefix",
    ["", "tk", "tk_", "_live", "TK_live", "tk_Live", "tk_live_1", "t k_live", "tk_live\n", "1k_x",
     "a" * 17 + "_b", "tk_ü", None, 5, b"tk_live"],
    ids=repr,
)  # fmt: skip
def test_anything_else_is_no_prefix(prefix: str) -> None:
    with pytest.raises(InvalidRequest):
        checked_prefix(prefix)
