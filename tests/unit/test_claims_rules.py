"""Claims become a principal by what the host says, and by nothing else."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.claims_rules import ClaimsRule
from tollkeeper.domain.errors import InvalidRequest, PermissionDenied, Unauthenticated
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.user_tokens import UserClaims

CHAT, AUDIO, KEYS = "chat:complete", "audio:transcribe", "keys:issue"
SCOPES = st.sets(st.sampled_from([CHAT, AUDIO, KEYS, "a:b", "c:d"]))


def claims(**said: Any) -> UserClaims:
    until = datetime(2100, 1, 1, tzinfo=UTC)
    return UserClaims("issuer", "me", ("us",), until, claims={"sub": "me", **said})


def test_a_user_pays_for_itself_and_has_what_all_have() -> None:
    principal = ClaimsRule(granted=frozenset({CHAT})).principal(claims(scope=f"{KEYS} {AUDIO}"))
    assert principal == Principal("me", {CHAT})
    assert principal.key_id == ""


@pytest.mark.parametrize(
    ("told", "scopes"),
    [
        (CHAT, {CHAT}),
        (f"{CHAT} {AUDIO}", {CHAT, AUDIO}),
        (f"  {CHAT}  {CHAT} ", {CHAT}),
        ([CHAT, AUDIO], {CHAT, AUDIO}),
        (f"openid email {CHAT}", {CHAT}),
        ([CHAT, 7, None, [AUDIO], "CHAT:COMPLETE", f"{AUDIO}\n"], {CHAT}),
        (f"{CHAT} {KEYS}", {CHAT}),
    ],
)
def test_of_the_scopes_that_a_token_lists_the_allowed_count(told: object, scopes: object) -> None:
    rule = ClaimsRule(allowed=frozenset({CHAT, AUDIO}))
    assert rule.principal(claims(scope=told)).scopes == scopes


@pytest.mark.parametrize(
    "told", ["", KEYS, "*", "*:*", "chat:*", f"{CHAT},{AUDIO}", f"{CHAT}\t{AUDIO}", [], {}, 7, None]
)
def test_a_user_to_whom_nothing_is_allowed_is_denied(told: object) -> None:
    with pytest.raises(PermissionDenied) as denied:
        ClaimsRule(allowed=frozenset({CHAT})).principal(claims(scope=told))
    assert denied.value.code == "missing_scope"
    with pytest.raises(PermissionDenied):
        ClaimsRule().principal(claims(scope=CHAT))


@given(SCOPES, SCOPES, SCOPES)
def test_no_token_gets_more_than_is_allowed(
    granted: set[str], allowed: set[str], told: set[str]
) -> None:
    """Whatever a token lists, the host's settings are the most (T8)."""
    rule = ClaimsRule(granted=frozenset(granted), allowed=frozenset(granted | allowed))
    expected = granted | (told & allowed)
    try:
        found = rule.principal(claims(scope=" ".join(told))).scopes
    except PermissionDenied:
        found = frozenset()
    assert found == expected


def test_the_claims_that_count_can_be_named() -> None:
    rule = ClaimsRule(
        account_claim="app_metadata.account_id",
        scopes_claim="https://example.com/scopes",
        allowed=frozenset({CHAT}),
        account_prefix="web:",
    )
    said = {"app_metadata": {"account_id": "acme"}, "https://example.com/scopes": [CHAT]}
    assert rule.principal(claims(**said)) == Principal("web:acme", {CHAT})


@pytest.mark.parametrize(
    "account", [None, "", 7, True, ["me"], {"id": "me"}, "a b", "auth0|7", "é", "x" * 125, "a\n"]
)
def test_a_token_without_a_well_formed_account_is_refused_by_one_text(account: object) -> None:
    rule = ClaimsRule(account_claim="account", granted=frozenset({CHAT}), account_prefix="web:")
    for said in ({"account": account}, {}):
        with pytest.raises(Unauthenticated, match=r"^the user token names no account$") as refused:
            rule.principal(claims(**said))
        assert refused.value.code == "token_without_account"


@pytest.mark.parametrize(
    "wrong",
    [
        {"account_claim": ""},
        {"account_claim": 7},
        {"account_claim": "a b"},
        {"account_claim": "user_metadata.account"},
        {"scopes_claim": "user_metadata.scopes"},
        {"scopes_claim": "unsafe_metadata"},
        {"granted": CHAT},
        {"granted": {"chat"}},
        {"granted": {"chat:*"}},
        {"granted": None},
        {"allowed": {"*"}},
        {"allowed": 7},
        {"granted": {CHAT}, "allowed": {AUDIO}},
        {"granted": {CHAT}, "allowed": set()},
        {"account_prefix": " "},
        {"account_prefix": ":"},
        {"account_prefix": "x" * 65},
        {"account_prefix": None},
    ],
    ids=str,
)
def test_a_rule_that_would_let_users_choose_or_says_two_things_is_refused(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(InvalidRequest):
        ClaimsRule(**wrong)


def test_only_claims_make_a_principal() -> None:
    with pytest.raises(InvalidRequest):
        ClaimsRule().principal({"sub": "me"})  # type: ignore[arg-type] # it is the wrong type
