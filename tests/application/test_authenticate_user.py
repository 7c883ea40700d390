"""A user's token becomes the principal that it stands for, or an error that says why not."""

import asyncio
import traceback
from datetime import timedelta

import pytest

from tests.servers.http_player import Play
from tests.servers.jwks_server import JwksServer, jwks_server, signing_key
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.token_verifier import MemoryTokenVerifier
from tollkeeper.adapters.pyjwt.token_verifier import PyjwtTokenVerifier
from tollkeeper.application.authenticate_user import AuthenticateUser
from tollkeeper.contracts.token_verifier import AUDIENCE, ISSUER, claims_at
from tollkeeper.domain.claims_rules import ClaimsRule
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    PermissionDenied,
    TollkeeperError,
    Unauthenticated,
    Unavailable,
)
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.user_tokens import TokenTerms, UserClaims

pytestmark = pytest.mark.anyio
RULE = ClaimsRule(
    granted=frozenset({"chat:complete"}),
    allowed=frozenset({"chat:complete", "audio:transcribe"}),
    account_prefix="web:",
)
KEY = signing_key("EdDSA")
USER = "web:6f9619ff-8b86-d011-b42d-00cf4fc964ff"


async def test_a_user_becomes_a_principal_without_a_key() -> None:
    clock = MemoryClock()
    verifier = MemoryTokenVerifier(clock, TokenTerms(ISSUER, AUDIENCE))
    authenticate = AuthenticateUser(verifier, RULE)
    token = verifier.issue(claims_at(clock.now(), scope="audio:transcribe keys:issue"))
    for form in (token, token.reveal()):
        principal = await authenticate(form)
        assert principal == Principal(USER, {"chat:complete", "audio:transcribe"})
        assert principal.key_id == ""


@pytest.mark.parametrize("token", ["", "x", "Bearer x", b"bytes", None, 7, ["x"]], ids=repr)
async def test_what_is_no_token_is_one_answer(token: object) -> None:
    authenticate = AuthenticateUser(MemoryTokenVerifier(MemoryClock()), RULE)
    with pytest.raises(Unauthenticated, match=r"^the user token is not valid$") as refused:
        await authenticate(token)  # type: ignore[arg-type] # some are of the wrong type
    assert refused.value.code == "token_invalid"


async def test_a_good_token_without_an_account_or_a_scope_is_no_principal() -> None:
    clock = MemoryClock()
    verifier = MemoryTokenVerifier(clock, TokenTerms(ISSUER, AUDIENCE))
    token = verifier.issue(claims_at(clock.now()))
    with pytest.raises(Unauthenticated) as refused:
        await AuthenticateUser(verifier, ClaimsRule(account_claim="account"))(token)
    assert refused.value.code == "token_without_account"
    with pytest.raises(PermissionDenied):
        await AuthenticateUser(verifier, ClaimsRule())(token)


async def test_without_an_issuer_the_setting_is_named() -> None:
    with pytest.raises(ConfigurationError, match="TOLLKEEPER_TOKEN_VERIFIER") as refused:
        await AuthenticateUser(None, RULE)("x")
    assert refused.value.code == "token_verifier_missing"


FAILURES = (
    *(Unavailable("away", port="token_verifier", adapter="test"), Unauthenticated("no")),
    CorruptResponse("odd", port="token_verifier", adapter="test"),
    *(ConfigurationError("wrong"), RuntimeError("a bug"), asyncio.CancelledError(), MemoryError()),
)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_no_failure_of_the_verifier_makes_a_principal(failure: BaseException) -> None:
    """What the verifier raises is what the caller gets, and never a principal (T28)."""

    class Failing:
        async def verify(self, token: Secret) -> UserClaims:
            raise failure

    with pytest.raises(type(failure)) as raised:
        await AuthenticateUser(Failing(), RULE)("x")
    assert raised.value is failure


async def test_a_verifier_that_answers_nothing_makes_no_principal() -> None:
    """Only verified claims make a principal (T28)."""

    class Empty:
        async def verify(self, token: Secret) -> UserClaims:
            return None  # type: ignore[return-value] # it is broken

    with pytest.raises(TollkeeperError):
        await AuthenticateUser(Empty(), RULE)("x")


async def outcomes(server: JwksServer, clock: MemoryClock) -> dict[str, str]:
    """Send tokens through every path that fails, and return what each shows."""
    shown: dict[str, str] = {}
    url = f"{server.url}?issuer={ISSUER}&audience={AUDIENCE}"
    good = claims_at(clock.now(), note="canary-of-the-claims")
    past, future = int(clock.now().timestamp()) - 99, int(clock.now().timestamp()) + 99
    stranger = signing_key("EdDSA", "stranger")
    tokens = {
        "forged": stranger.sign(good, kid=KEY.name),
        "unknown key": stranger.sign(good),
        "broken": KEY.sign(good)[:-2],
        "another audience": KEY.sign({**good, "aud": "other"}),
        "expired": KEY.sign({**good, "exp": past}),
        "early": KEY.sign({**good, "nbf": future}),
        "no account": KEY.sign({**good, "sub": "a b"}),
        "no scope": KEY.sign(good),
        "away": KEY.sign(good),
        "garbage": KEY.sign(good),
    }
    for case, token in tokens.items():
        outage = {"away": Play(status=503), "garbage": Play((b"<html>",))}
        server.play = outage.get(case)
        rule = ClaimsRule() if case == "no scope" else RULE
        async with PyjwtTokenVerifier.from_url(url, clock=clock) as verifier:
            with pytest.raises(TollkeeperError) as raised:
                await AuthenticateUser(verifier, rule)(token)
        inside = raised.tb.tb_next  # the first frame is this one, which knows the token
        told = traceback.TracebackException(raised.type, raised.value, inside, capture_locals=True)
        shown[case] = "".join(told.format()) + repr(raised.value)
        for piece in (token, *token.split("."), "canary-of-the-claims"):
            assert piece not in shown[case], case
    return shown


async def test_no_error_shows_a_token_or_what_it_says() -> None:
    """A canary is in no text, repr, cause or traceback with its variables (T23)."""
    clock = MemoryClock()
    with jwks_server(KEY) as server:
        shown = await outcomes(server, clock)
    assert len(shown) == 10


async def test_an_outage_is_never_a_refusal_and_passes() -> None:
    clock = MemoryClock()
    with jwks_server(KEY) as server:
        server.play = Play(status=503)
        url = f"{server.url}?issuer={ISSUER}&audience={AUDIENCE}"
        async with PyjwtTokenVerifier.from_url(url, clock=clock) as verifier:
            authenticate = AuthenticateUser(verifier, RULE)
            token = KEY.sign(claims_at(clock.now()))
            with pytest.raises(Unavailable):
                await authenticate(token)
            server.play = None
            clock.advance(timedelta(seconds=1))
            assert (await authenticate(token)).account == USER
