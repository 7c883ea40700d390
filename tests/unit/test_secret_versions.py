"""Versions of a secret, and what makes a secret weak."""

from base64 import urlsafe_b64encode
from random import Random

import pytest

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.secret_strength import is_default, is_weak
from tollkeeper.domain.secret_versions import SecretVersions


def test_a_previous_version_that_says_nothing_new_is_none() -> None:
    for previous in (None, Secret(""), Secret("now")):
        assert SecretVersions(Secret("now"), previous).previous is None
    assert SecretVersions(Secret("now"), Secret("before")).previous == Secret("before")


@pytest.mark.parametrize(
    ("current", "previous"),
    [("text", None), (None, None), (Secret(""), None), (Secret("now"), "before")],
    ids=repr,
)
def test_what_are_no_versions_is_refused(current: object, previous: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        SecretVersions(current, previous)  # type: ignore[arg-type]  # that is the test
    assert refused.value.code == "invalid_secret"


def test_versions_show_no_secret() -> None:
    shown = repr(SecretVersions(Secret("sk-hidden"), Secret("sk-hidden-2")))
    assert "hidden" not in shown


@pytest.mark.parametrize(
    ("text", "weak"),
    [
        ("0123456789abcdef" * 2, False),
        ("0123456789abcdef" * 2 + "0", False),
        ("0123456789abcdef0123456789abcde", True),
        ("a" * 64, True),
        ("abcdefghi" * 8, True),
        ("abcdefghij" * 4, False),
        ("0123456789abcdef" * 2 + "\n", True),
        ("0123456789abcdef" * 2 + "\ud83d", True),
        ("", True),
    ],
)
def test_a_secret_is_weak_if_it_is_short_or_repeats_itself(text: str, weak: bool) -> None:
    assert is_weak(Secret(text)) is weak


@pytest.mark.parametrize(
    "text",
    [
        "super-secret-jwt-token-with-at-least-32-characters-long",  # Supabase's own, for local use
        "your-256-bit-secret-goes-into-this-line",
        "CHANGE_ME to something of 32 characters",
        "this is only an Example of a long secret",
        "insert-the-output-of-openssl-rand-here",
    ],
)
def test_a_secret_from_a_manual_is_told(text: str) -> None:
    assert not is_weak(Secret(text))
    assert is_default(Secret(text))


def test_no_random_secret_reads_like_a_default() -> None:
    chance = Random(5)
    for _ in range(20_000):
        made = chance.randbytes(48)
        assert not is_default(Secret(made.hex()))
        assert not is_default(Secret(urlsafe_b64encode(made).decode()))
