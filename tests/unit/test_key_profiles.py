"""What is said of a key is checked field by field, and told to the audit but for the host's own."""

from collections import OrderedDict
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from attrs import evolve

from tollkeeper.domain.api_keys import ApiKey, KeySecret
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.key_limits import KeyLimit, Quota, QuotaPeriod
from tollkeeper.domain.key_profiles import (
    LONGEST_DESCRIPTION,
    LONGEST_METADATA_KEY,
    MOST_METADATA,
    checked_profile,
    profile_details,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIMIT = KeyLimit.parse("60/minute:local")
PLAIN = ApiKey(
    id="key-1",
    account="acme",
    name="ci",
    scopes=frozenset({"chat:complete"}),
    prefix="tk_live",
    secrets=(KeySecret("kid0000000000000", bytes(32), "pepper", NOW),),
    created_at=NOW,
)
GIVEN: dict[str, Any] = {
    "name": "builds",
    "description": "of every night",
    "scopes": {"mail:send", "chat:complete"},
    "expires_at": NOW,
    "limits": [LIMIT, KeyLimit.parse("1/second")],
    "quota": Quota(10, QuotaPeriod.DAY),
    "networks": ["10.0.0.0/8"],
    "metadata": {"team": "search"},
}
NO_NAMES: list[Any] = [None, 5, b"ci", "a\nb", "x" * 256, []]
BAD: list[tuple[str, Any, str]] = [
    *[("name", bad, "invalid_request") for bad in NO_NAMES],
    *[
        ("description", bad, "invalid_request")
        for bad in (None, 5, "a\x1b[31m", "x" * (LONGEST_DESCRIPTION + 1))
    ],
    *[
        ("scopes", bad, "invalid_scope")
        for bad in (None, 5, "chat:complete", [], ["chat"], ["chat:*"], [5], {"chat:complete": 1})
    ],
    *[
        ("expires_at", bad, "invalid_request")
        for bad in (5, "2026-11-22", NOW.replace(tzinfo=None), NOW.date(), timedelta(1))
    ],
    *[("limits", bad, "invalid_limit") for bad in (None, 5, "60/minute", ["60/minute"], LIMIT)],
    *[("quota", bad, "invalid_quota") for bad in (5, "10/day", [Quota(1)], False)],
    *[("networks", bad, "invalid_network") for bad in (None, 5, "10.0.0.0/8", ["x"], [5])],
    *[
        ("metadata", bad, code)
        for bad, code in (
            (None, "invalid_metadata"),
            ([("team", "search")], "invalid_metadata"),
            ({str(n): "" for n in range(MOST_METADATA + 1)}, "invalid_metadata"),
            ({"": "search"}, "invalid_metadata"),
            ({None: "search"}, "invalid_metadata"),
            ({5: "search"}, "invalid_request"),
            ({"team": 5}, "invalid_request"),
            ({"team": None}, "invalid_request"),
            ({"team": "a\r\nb"}, "invalid_request"),
            ({"te\nam": "a"}, "invalid_request"),
            ({"x" * (LONGEST_METADATA_KEY + 1): "a"}, "invalid_request"),
            ({"team": "x" * 256}, "invalid_request"),
        )
    ],
]


def test_what_is_given_comes_back_as_a_key_holds_it() -> None:
    east = timezone(timedelta(hours=9))
    checked = checked_profile({**GIVEN, "expires_at": NOW.astimezone(east)})
    assert list(checked) == list(GIVEN)
    assert checked["scopes"] == frozenset(GIVEN["scopes"])
    assert checked["limits"] == (KeyLimit.parse("1/second"), LIMIT)
    assert [str(each) for each in checked["networks"]] == ["10.0.0.0/8"]
    assert checked["expires_at"].tzinfo is UTC
    assert evolve(PLAIN, **checked).name == "builds"


def test_what_is_not_given_is_not_made_up() -> None:
    assert checked_profile({}) == {}
    assert checked_profile({"quota": None, "expires_at": None}) == {
        "quota": None,
        "expires_at": None,
    }


def test_bounds_themselves_are_allowed() -> None:
    most = {
        "name": "x" * 255,
        "description": "x" * LONGEST_DESCRIPTION,
        "metadata": {f"{n:0{LONGEST_METADATA_KEY}}": "x" * 255 for n in range(MOST_METADATA)},
    }
    assert checked_profile(most) == most
    assert checked_profile({"name": "", "description": "", "metadata": {}})["name"] == ""


@pytest.mark.parametrize(("field", "bad", "code"), BAD, ids=lambda each: repr(each)[:30])
def test_each_malformed_field_is_refused(field: str, bad: object, code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked_profile({**GIVEN, field: bad})
    assert refused.value.code == code
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("field", ["id", "account", "owner", "secrets", "revoked_at", "seal", 5])
def test_other_fields_cannot_be_chosen(field: str) -> None:
    """The owner of a key comes from the principal, never from what is said of it (T7)."""
    with pytest.raises(InvalidRequest, match=str(field)):
        checked_profile({**GIVEN, field: "acme"})


def test_metadata_is_the_keys_own_copy() -> None:
    given = OrderedDict(team="search")
    checked = checked_profile({"metadata": given})
    given["team"] = "other"
    assert checked["metadata"] == {"team": "search"}


def test_a_new_key_is_told_with_what_it_has() -> None:
    assert profile_details(None, PLAIN) == {"name": "ci", "scopes": "chat:complete"}
    full = evolve(PLAIN, **checked_profile(GIVEN))
    assert profile_details(None, full) == {
        "name": "builds",
        "description": "of every night",
        "scopes": "chat:complete mail:send",
        "expires_at": "2026-11-22T12:00:00+00:00",
        "limits": "1/second:closed 60/minute:local",
        "quota": "10/day",
        "networks": "10.0.0.0/8",
        "metadata": "team",
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "cd"}, {"name": "ci -> cd"}),
        ({"name": ""}, {"name": "ci -> none"}),
        ({"scopes": ["mail:send"]}, {"scopes": "chat:complete -> mail:send"}),
        ({"expires_at": NOW}, {"expires_at": "none -> 2026-11-22T12:00:00+00:00"}),
        ({"limits": [LIMIT]}, {"limits": "none -> 60/minute:local"}),
        ({"quota": Quota(5)}, {"quota": "none -> 5/month"}),
        ({"networks": ["::1"]}, {"networks": "none -> ::1/128"}),
        (
            {"name": "cd", "description": "x"},
            {"name": "ci -> cd", "description": "none -> x"},
        ),
        ({"name": "ci", "quota": None}, {}),
    ],
)
def test_a_change_is_told_with_before_and_after(
    change: dict[str, Any], told: dict[str, str]
) -> None:
    changed = evolve(PLAIN, **checked_profile(change))
    assert profile_details(PLAIN, changed) == told
    back = {name: " -> ".join(text.split(" -> ")[::-1]) for name, text in told.items()}
    assert profile_details(changed, PLAIN) == back


def test_values_of_metadata_are_not_told() -> None:
    """They are the host's own, and may be anything (T23)."""
    one = evolve(PLAIN, metadata={"team": "canary-one", "b": "canary-two"})
    two = evolve(PLAIN, metadata={"team": "canary-three", "c": "canary-two"})
    told = [profile_details(None, one), profile_details(one, two), profile_details(two, PLAIN)]
    assert [each["metadata"] for each in told] == ["b team", "b team -> c team", "c team -> none"]
    assert "canary" not in repr(told)
