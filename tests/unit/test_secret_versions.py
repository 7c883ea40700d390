"""Versions of a secret, and what makes a secret weak."""

import pytest

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.secret_strength import is_weak
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
