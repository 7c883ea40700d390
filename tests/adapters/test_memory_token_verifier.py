"""The verifier in memory keeps the contract, and takes no options."""

import pytest

from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.token_verifier import MemoryTokenVerifier
from tollkeeper.contracts.token_verifier import (
    AUDIENCE,
    ISSUER,
    Claims,
    Issue,
    TokenVerifierContract,
)
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.user_tokens import TokenTerms


class TestMemoryTokenVerifier(TokenVerifierContract):
    @pytest.fixture
    def token_verifier(self, clock: MemoryClock) -> MemoryTokenVerifier:
        return MemoryTokenVerifier(clock, TokenTerms(ISSUER, AUDIENCE))

    @pytest.fixture
    def issue(self, clock: MemoryClock, token_verifier: MemoryTokenVerifier) -> Issue:
        stranger = MemoryTokenVerifier(clock)

        def issue(claims: Claims, fault: str) -> str:
            # What another one issued is all that can be forged here.
            return (stranger if fault else token_verifier).issue(claims).reveal()

        return issue


def test_it_is_made_of_its_url_alone() -> None:
    made = MemoryTokenVerifier.from_url("memory://", clock=MemoryClock())
    assert made.terms == TokenTerms("memory", "memory")
    for url, secret in (("memory://x", None), ("memory:", None), ("memory://", Secret("x" * 32))):
        with pytest.raises(ConfigurationError):
            MemoryTokenVerifier.from_url(url, clock=MemoryClock(), secret=secret)
