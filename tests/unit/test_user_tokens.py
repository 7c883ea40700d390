"""What a user's token must say, and what of it can be changed or seen afterwards."""

import copy
import math
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollkeeper.domain.errors import InvalidRequest, Unauthenticated
from tollkeeper.domain.user_tokens import TokenTerms, UserClaims

NOW = datetime(2001, 1, 1, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
TERMS = TokenTerms("issuer", "us", timedelta(seconds=10))
GOOD = {"iss": "issuer", "aud": "us", "sub": "me", "exp": SECONDS + 60}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=12,
)


def code_of(claims: object, *, at: timedelta = timedelta(0)) -> str:
    with pytest.raises(Unauthenticated) as refused:
        TERMS.admit(claims, now=NOW + at)
    return refused.value.code


def test_claims_in_order_are_admitted() -> None:
    found = TERMS.admit({**GOOD, "iat": SECONDS, "nbf": SECONDS, "a": {"b": [1]}}, now=NOW)
    assert (found.issuer, found.subject, found.audience) == ("issuer", "me", ("us",))
    assert (found.issued_at, found.expires_at) == (NOW, NOW + timedelta(minutes=1))
    assert TERMS.admit({**GOOD, "exp": SECONDS + 0.5}, now=NOW).issued_at is None


@pytest.mark.parametrize(
    ("claims", "seconds", "code"),
    [
        ({}, 69.999, None),
        ({}, 70, "token_expired"),
        ({"exp": SECONDS - 9}, 0, None),
        ({"exp": SECONDS - 10}, 0, "token_expired"),
        ({"nbf": SECONDS + 10}, 0, None),
        ({"nbf": SECONDS + 11}, 0, "token_not_yet_valid"),
        ({"iat": SECONDS + 10}, 0, None),
        ({"iat": SECONDS + 10.5}, 0, "token_not_yet_valid"),
        ({"nbf": SECONDS + 99, "exp": SECONDS - 99}, 0, "token_expired"),
    ],
)
def test_the_time_counts_to_the_moment_with_the_leeway(
    claims: dict[str, Any], seconds: float, code: str | None
) -> None:
    at = timedelta(seconds=seconds)
    if code is None:
        TERMS.admit({**GOOD, **claims}, now=NOW + at)
    else:
        assert code_of({**GOOD, **claims}, at=at) == code


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "value",
    [None, True, "1", [], {}, 0, -1, math.nan, math.inf, 10**400, 1e300, 253402300800],
    ids=repr,
)
def test_a_time_that_is_none_is_refused(name: str, value: object) -> None:
    assert code_of({**GOOD, name: value}) == "token_invalid"


@pytest.mark.parametrize("claims", [None, [], "text", 7, {}, {"sub": "me"}, [("iss", "issuer")]])
def test_what_is_no_set_of_claims_is_refused(claims: object) -> None:
    assert code_of(claims) == "token_invalid"


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "x"]), JSON))
def test_whatever_json_is_signed_it_is_admitted_or_refused(claims: dict[str, Any]) -> None:
    """No claims of an issuer break us (T28)."""
    try:
        found = TERMS.admit({**GOOD, **claims}, now=NOW)
    except Unauthenticated:
        return
    assert found.issuer == "issuer"
    assert "us" in found.audience
    assert found.expires_at > NOW - timedelta(seconds=10)


def test_claims_cannot_be_changed_by_anybody() -> None:
    given: dict[str, Any] = {**GOOD, "a": {"b": [{"c": 1}]}}
    found = TERMS.admit(given, now=NOW)
    given["a"]["b"][0]["c"] = 2
    assert found.claim("a.b") == ({"c": 1},)
    levels: tuple[Any, ...] = (found.claims, found.claims["a"], found.claims["a"]["b"][0])
    for level in levels:
        with pytest.raises(TypeError):
            level["c"] = 3
    with pytest.raises(AttributeError):
        found.subject = "you"  # type: ignore[misc] # it is frozen


def test_claims_are_copied_and_sent_whole_and_hashed() -> None:
    found = TERMS.admit({**GOOD, "a": {"b": [{"c": 1}]}}, now=NOW)
    for copied in (copy.copy(found), copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert copied == found
        assert hash(copied) == hash(found)


def test_a_repr_shows_no_claim_but_who_it_is() -> None:
    found = TERMS.admit({**GOOD, "email": "me@example.com"}, now=NOW)
    assert "me@example.com" not in repr(found)
    assert "subject='me'" in repr(found)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b.c", 1),
        ("a.b", {"c": 1}),
        ("https://example.com/plan", "pro"),
        ("x.y", "of that very name"),
        ("x.z", 3),
        ("a.b.c.d", None),
        ("a..b", None),
        ("n", None),
        ("", None),
        ("sub.me", None),
    ],
)
def test_a_claim_is_found_by_its_name_or_its_path(path: str, value: object) -> None:
    more = {
        "a": {"b": {"c": 1}},
        "https://example.com/plan": "pro",
        "x.y": "of that very name",
        "x": {"y": 2, "z": 3},
        "n": None,
    }
    assert TERMS.admit({**GOOD, **more}, now=NOW).claim(path) == value


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": ""},
        {"issuer": 7},
        {"subject": "a\nb"},
        {"audience": "us"},
        {"audience": (7,)},
        {"expires_at": SECONDS},
        {"expires_at": datetime(2001, 1, 1)},
        {"issued_at": 7},
        {"claims": []},
        {"claims": {7: 1}},
        {"claims": {"a": b"bytes"}},
        {"claims": {"a": {"b": {1}}}},
    ],
    ids=str,
)
def test_claims_of_another_type_are_a_typed_error(wrong: dict[str, Any]) -> None:
    sound = {"issuer": "i", "subject": "s", "audience": ("us",), "expires_at": NOW}
    with pytest.raises(InvalidRequest):
        UserClaims(**{**sound, **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": ""},
        {"audience": 7},
        {"leeway": timedelta(seconds=61)},
        {"leeway": timedelta(seconds=-1)},
        {"leeway": 10},
    ],
    ids=str,
)
def test_terms_that_would_let_others_in_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        TokenTerms(**{"issuer": "issuer", "audience": "us", **wrong})
