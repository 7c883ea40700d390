"""Users' tokens that are handed out and verified within one process: no issuer is needed."""

import secrets
from collections.abc import Mapping
from typing import Any, Self

from attrs import field, frozen

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.user_tokens import TokenTerms, UserClaims, is_hidden, refuse_plain
from tollkeeper.ports.clock import Clock


@frozen
class MemoryTokenVerifier:
    """Knows the tokens that it issued itself, for tests and a host's first steps.

    Its tokens are random, and say nothing to anybody else. They are kept for ever.
    """

    clock: Clock
    terms: TokenTerms = field(factory=lambda: TokenTerms("memory", "memory"))
    _issued: dict[Secret, Mapping[str, Any]] = field(factory=dict, init=False, repr=False, eq=False)

    @classmethod
    def from_url(cls, url: str, *, clock: Clock, secret: Secret | None = None) -> Self:
        """Make one from ``memory://``, of the issuer and the audience called ``memory``.

        Raises:
            ConfigurationError: *url* says anything more, or there is a *secret*.
        """
        if url != "memory://":
            raise ConfigurationError("the token verifier takes no options; write memory://")
        if secret is not None:
            raise ConfigurationError("memory:// takes no secret; leave token_secret out")
        return cls(clock)

    def issue(self, claims: Mapping[str, Any]) -> Secret:
        """Hand out a token with *claims*, whatever they say."""
        token = Secret(secrets.token_urlsafe(32))
        self._issued[token] = dict(claims)
        return token

    async def verify(self, token: Secret) -> UserClaims:
        """Return what was issued under *token*."""
        if not is_hidden(token):
            del token  # a traceback may show the locals of this frame
            raise refuse_plain()
        # No name for the claims here: they are personal, and would be in a traceback.
        return self.terms.admit(self._issued.get(token), now=self.clock.now())
