"""What docs/user-tokens.md says is what the verifier and the rules do."""

import ast
import inspect
import tomllib
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import fields

from tests.documents import ROOT, blocks, prose, tables, ticked
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.token_verifier import MemoryTokenVerifier
from tollkeeper.adapters.pyjwt import jwks, tokens
from tollkeeper.adapters.pyjwt.addresses import address_of
from tollkeeper.adapters.pyjwt.token_verifier import PyjwtTokenVerifier
from tollkeeper.application.authenticate_user import AuthenticateUser
from tollkeeper.domain.claims_rules import ClaimsRule
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.user_tokens import MOST_LEEWAY, TokenTerms

PAGE = ROOT / "docs" / "user-tokens.md"
SETTINGS = [tomllib.loads(block.text)["production"] for block in blocks(PAGE, "toml")]
URLS = [each["token_verifier"] for each in SETTINGS if "token_verifier" in each]


@pytest.mark.anyio
async def test_the_examples_run() -> None:
    clock = MemoryClock()
    verifier = MemoryTokenVerifier(clock)
    expiry = int((clock.now() + timedelta(hours=1)).timestamp())
    claims = {"iss": "memory", "aud": "memory", "sub": "me", "exp": expiry}
    rule = ClaimsRule(granted=SETTINGS[0]["token_granted_scopes"])
    names: dict[str, Any] = {
        "tk": SimpleNamespace(authenticate_user=AuthenticateUser(verifier, rule)),
        "bearer_token": verifier.issue(claims).reveal(),
    }
    for block in blocks(PAGE, "python"):
        code = compile(block.text, block.place, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        running = eval(code, names)
        if inspect.isawaitable(running):
            await running
    assert names["principal"] == Principal("me", {"chat:complete"})
    assert names["rule"].account_claim == SETTINGS[1]["token_account_claim"]


@pytest.mark.parametrize("url", URLS)
def test_the_urls_of_the_page_are_good(url: str) -> None:
    assert address_of(url).terms == TokenTerms(
        "https://abcd.supabase.co/auth/v1", "authenticated", timedelta(seconds=10)
    )
    secret = Secret("0123456789abcdef" * 2) if url.startswith("jwt+hs256") else None
    PyjwtTokenVerifier.from_url(url, clock=MemoryClock(), secret=secret)


def test_the_options_and_their_defaults_are_those_of_the_adapter() -> None:
    schemes, options, _ = tables(PAGE)
    assert [ticked(row["URL"])[0].split("://")[0] for row in schemes] == [
        *("jwks+https", "jwt+pem", "jwt+hs256", "memory")
    ]
    url = "jwks+https://host/path?issuer=x&audience=y"
    for row in options:
        [option] = ticked(row["option"])
        if option not in ("issuer", "audience"):
            [default] = ticked(row["default"])
            assert address_of(f"{url}&{option}={default}") == address_of(url)
    assert [ticked(row["option"])[0] for row in options] == [
        *("issuer", "audience", "algorithms", "leeway")
    ]


def test_the_settings_are_the_parts_of_a_rule_with_its_defaults() -> None:
    *_, rows = tables(PAGE)
    rule = ClaimsRule()
    told = {ticked(row["setting"])[0]: row["default"].strip('`"') for row in rows}
    assert told["token_account_claim"] == rule.account_claim
    assert told["token_scopes_claim"] == rule.scopes_claim
    assert (rule.granted, rule.allowed, rule.account_prefix) == (frozenset(), None, "")
    parts = {name.removeprefix("token_").removesuffix("_scopes") for name in told}
    assert parts == {attribute.name for attribute in fields(ClaimsRule)}


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    said = " ".join(prose(PAGE).split())
    for text, number in (
        ("16 KiB at most", tokens.LONGEST_TOKEN == 16 * 1024),
        ("256 KiB", jwks.LARGEST_SET == 256 * 1024),
        ("60s at most", timedelta(seconds=60) == MOST_LEEWAY),
    ):
        assert number
        assert text in said
