"""PyJWT's verifier keeps the contract with each algorithm, by a real key set, file and secret."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servers.jwks_server import JwksServer, jwks_server, signed, signing_key
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.pyjwt.token_verifier import PyjwtTokenVerifier
from tollkeeper.contracts.token_verifier import (
    AUDIENCE,
    ISSUER,
    Claims,
    Issue,
    TokenVerifierContract,
    claims_at,
)
from tollkeeper.domain.errors import Unauthenticated
from tollkeeper.domain.secret import Secret

OPTIONS = f"?issuer={ISSUER}&audience={AUDIENCE}"
SHARED = "super-secret-jwt-token-with-at-least-32-characters-long"


@pytest.fixture(scope="module")
def shared_server() -> Iterator[JwksServer]:
    with jwks_server(*map(signing_key, ("RS256", "ES256", "EdDSA"))) as server:
        yield server


class WithPublishedKeys(TokenVerifierContract):
    """The contract, by a key set on a real server."""

    algorithm: str

    @pytest.fixture
    async def token_verifier(
        self, shared_server: JwksServer, clock: MemoryClock
    ) -> AsyncIterator[PyjwtTokenVerifier]:
        url = shared_server.url + OPTIONS
        async with PyjwtTokenVerifier.from_url(url, clock=clock) as verifier:
            yield verifier

    @pytest.fixture
    def issue(self) -> Issue:
        key = signing_key(self.algorithm)

        def issue(claims: Claims, fault: str) -> str:
            if fault == "another_key":
                return signing_key(self.algorithm, "stranger").sign(claims, kid=key.name)
            if fault == "unknown_key":
                return signing_key(self.algorithm, "stranger").sign(claims)
            if fault == "unsigned":
                return signed(claims, "none", None, {"kid": key.name})
            if fault == "another_algorithm":
                # The public key is taken for a secret that everybody knows.
                return signed(claims, "HS256", key.pem, {"kid": key.name})
            return key.sign(claims)

        return issue


class TestByRs256(WithPublishedKeys):
    algorithm = "RS256"


class TestByEs256(WithPublishedKeys):
    algorithm = "ES256"


class TestByEddsa(WithPublishedKeys):
    algorithm = "EdDSA"


class TestByAFile(WithPublishedKeys):
    algorithm = "ES256"

    @pytest.fixture
    async def token_verifier(
        self, tmp_path: Path, clock: MemoryClock
    ) -> AsyncIterator[PyjwtTokenVerifier]:
        file = tmp_path / "a key.pem"
        file.write_bytes(signing_key("ES256").pem)
        url = f"jwt+pem://{tmp_path}/a%20key.pem{OPTIONS}"
        async with PyjwtTokenVerifier.from_url(url, clock=clock) as verifier:
            yield verifier


class TestByASharedSecret(TokenVerifierContract):
    @pytest.fixture
    def token_verifier(self, clock: MemoryClock) -> PyjwtTokenVerifier:
        url = f"jwt+hs256://{OPTIONS}"
        return PyjwtTokenVerifier.from_url(url, clock=clock, secret=Secret(SHARED))

    @pytest.fixture
    def issue(self) -> Issue:
        def issue(claims: Claims, fault: str) -> str:
            if fault in ("another_key", "unknown_key"):
                return signed(claims, "HS256", b"another" * 8, {"kid": fault})
            if fault == "unsigned":
                return signed(claims, "none", None, {})
            if fault == "another_algorithm":
                return signed(claims, "HS512", SHARED.encode(), {})
            return signed(claims, "HS256", SHARED.encode(), {})

        return issue


def _by_secret() -> tuple[PyjwtTokenVerifier, str]:
    clock = MemoryClock()
    url = f"jwt+hs256://{OPTIONS}"
    token = signed(claims_at(clock.now()), "HS256", SHARED.encode(), {})
    return PyjwtTokenVerifier.from_url(url, clock=clock, secret=Secret(SHARED)), token


@pytest.mark.anyio
@settings(max_examples=150)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["put", "drop", "insert", "swap", "case"]),
    st.characters(),
)
async def test_any_edit_of_one_character_is_refused(place: int, edit: str, character: str) -> None:
    """Whatever is done to one character of a token, it is no token any more (T1)."""
    verifier, token = _by_secret()
    await verifier.verify(Secret(token))
    at = place % len(token)
    before, there, after = token[:at], token[at], token[at + 1 :]
    edited = {
        "put": before + character + after,
        "drop": before + after,
        "insert": before + character + there + after,
        "swap": before + after[:1] + there + after[1:],
        "case": before + there.swapcase() + after,
    }[edit]
    if edited != token:
        with pytest.raises(Unauthenticated, match=r"^the user token is not valid$"):
            await verifier.verify(Secret(edited))


@pytest.mark.anyio
@settings(max_examples=150)
@given(
    st.one_of(
        st.text(max_size=300),
        st.from_regex(r"[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}"),
        st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")),
    )
)
async def test_any_text_is_refused_and_nothing_else_is_raised(text: str) -> None:
    """Noise is no token (T1)."""
    verifier, _ = _by_secret()
    with pytest.raises(Unauthenticated, match=r"^the user token is not valid$"):
        await verifier.verify(Secret(text))
