"""Leaked tokens are found in any text, and nothing else is."""

import re
import time
from base64 import encodebytes
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.key_tokens import (
    TOKEN_PATTERN,
    FoundToken,
    encode_kid,
    encode_token,
    find_tokens,
    token_pattern,
)

PREFIX = "tk_live"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
URL_SAFE = str.maketrans("+/", "-_")
TOKEN = encode_token(PREFIX, encode_kid(bytes(range(10))), bytes(range(100, 132)))
OTHER = encode_token("acme_test", encode_kid(bytes(10)), bytes(32))
TOKENS = st.builds(
    lambda kid, secret: encode_token(PREFIX, encode_kid(kid), secret),
    st.binary(min_size=10, max_size=10),
    st.binary(min_size=32, max_size=32),
)


def found(text: str, prefix: str | None = PREFIX) -> list[str]:
    return [each.token for each in find_tokens(text, prefix=prefix)]


@given(st.text() | st.text(BASE62 + "_\\%"), TOKENS, st.text() | st.text(BASE62 + "_"))
def test_a_token_is_found_whatever_stands_around_it(before: str, token: str, after: str) -> None:
    for prefix in (PREFIX, None):
        assert found(before + token + after, prefix) == [token]


@pytest.mark.parametrize(
    "text",
    [
        "{}", "{}\n", "KEY={}", 'key = "{}"', "Bearer {}", "https://a.example/?key={}&x=1",
        "?next=%2F%3Fkey%3D{}%26x", '"KEY=1\\n{}\\n"', "`{}`", "{};", "<{}>", "-{}-", "é{}é",
        "\ufeff{}", "\0{}\0", "\x1b[31m{}\x1b[0m",
    ],
)  # fmt: skip
def test_a_token_is_found_where_people_leave_one(text: str) -> None:
    text = text.replace("{}", TOKEN)
    for prefix in (PREFIX, None):
        assert found(text, prefix) == [TOKEN]
        assert re.findall(token_pattern(prefix), text, re.ASCII) == [TOKEN]


@pytest.mark.parametrize("between", [" ", ",", "\n", "|", "\\n", "%20"])
def test_tokens_that_stand_side_by_side_are_all_found(between: str) -> None:
    assert found(between.join([TOKEN, OTHER, TOKEN]), None) == [TOKEN, OTHER, TOKEN]
    assert re.findall(TOKEN_PATTERN, between.join([TOKEN] * 3)) == [TOKEN] * 3


@pytest.mark.parametrize("text", ["x{}", "{}x", "_{}", "{}_", "0{}", "{}0"])
def test_the_pattern_leaves_longer_names_alone_and_the_checksum_does_not(text: str) -> None:
    text = text.replace("{}", TOKEN)
    assert re.findall(token_pattern(PREFIX), text) == []
    assert found(text) == found(text, None) == [TOKEN]


@given(TOKENS, st.integers(0, 73), st.sampled_from(BASE62))
def test_a_mistyped_token_is_not_found(token: str, at: int, new: str) -> None:
    edited = token[:at] + new + token[at + 1 :]
    assert edited == token or found(edited, None) == []


def test_a_find_says_whose_it_is_and_does_not_show_itself() -> None:
    both = f"{TOKEN} {OTHER}"
    assert list(find_tokens(both)) == [FoundToken(PREFIX, TOKEN), FoundToken("acme_test", OTHER)]
    assert found(both, "acme_test") == [OTHER]
    assert found(both, "tk_test") == []
    assert TOKEN not in repr(list(find_tokens(both)))


@pytest.mark.parametrize("prefix", ["", "tk", "tk_live|x", "tk_.*", "TK_live", 5, b"tk_live"])
def test_a_pattern_is_made_of_a_prefix_alone(prefix: str) -> None:
    with pytest.raises(InvalidRequest):
        token_pattern(prefix)
    with pytest.raises(InvalidRequest):
        find_tokens("", prefix=prefix)


@pytest.mark.parametrize("text", [None, b"", 5, [TOKEN]], ids=ascii)
def test_text_alone_is_searched(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        find_tokens(text)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize("prefix", [None, PREFIX])
def test_the_pattern_is_one_for_python_pcre_and_re2(prefix: str | None) -> None:
    # RE2 has no look-around, no references back, no atomic groups and no possessive counts.
    pattern = token_pattern(prefix)
    assert not re.search(r"\(\?(?!:)|\\[1-9]|[*+?}]\+", pattern)
    assert re.compile(pattern).groups == 1
    assert pattern.isascii()
    assert " " not in pattern


def test_tokens_are_found_in_a_mebibyte_of_noise() -> None:
    """All of fifty, and nothing else, in noise that looks like code (T26)."""
    random = Random(7)
    noise = "".join(random.choices(f"{BASE62}_-/+= \n\"'", k=1 << 20))
    keys = [
        encode_token(PREFIX, encode_kid(random.randbytes(10)), random.randbytes(32))
        for _ in range(50)
    ]
    places = sorted(random.sample(range(len(noise)), k=len(keys)))
    pieces = [noise[a:b] for a, b in zip([0, *places], [*places, None], strict=True)]
    text = pieces[0] + "".join(
        f' "{key}",{rest}' for key, rest in zip(keys, pieces[1:], strict=True)
    )
    assert found(text) == found(text, None) == keys
    assert set(keys) <= set(re.findall(TOKEN_PATTERN, text))
    assert re.findall(token_pattern(PREFIX), text) == keys


def _false_finds(count: int) -> int:
    """Search *count* random base64 texts of 76 characters, and a tenth as many lookalikes."""
    random, finds, chunk = Random(11), 0, 10_000
    for _ in range(count // (2 * chunk)):
        text = encodebytes(random.randbytes(57 * chunk)).decode()
        finds += len(found(text, None)) + len(found(text.translate(URL_SAFE), None))
        # These lack nothing of a token but the right checksum.
        ends = re.findall("[0-9A-Za-z]{49}", text)[: chunk // 5]
        alike = [f"{PREFIX}_{encode_kid(random.randbytes(10))}_{end}" for end in ends]
        assert re.findall(TOKEN_PATTERN, " ".join(alike)) == alike
        finds += len(found(" ".join(alike)))
    return finds


def test_nothing_is_found_in_random_base64() -> None:
    """None in 10^6 texts, and none of the 10^5 that look like tokens (T26)."""
    assert _false_finds(1_000_000) == 0


@pytest.mark.soak
def test_nothing_is_found_in_very_much_random_base64() -> None:
    """None in 10^7 (T26)."""
    assert _false_finds(10_000_000) == 0


@pytest.mark.parametrize(
    "text",
    ["a", "_", "a_", "a_a ", " a_a", "%41", "\\n", "tk_live_", " tk_live_0", "0" * 80 + " "],
)
@pytest.mark.parametrize("prefix", [None, PREFIX])
def test_the_time_of_a_search_goes_with_the_length(text: str, prefix: str | None) -> None:
    searched = (text * (1 << 20))[: 1 << 20]
    begun = time.process_time()
    assert found(searched, prefix) == re.findall(token_pattern(prefix), searched) == []
    # A fraction of a second; were it quadratic, a mebibyte would take hours.
    assert time.process_time() - begun < 20
