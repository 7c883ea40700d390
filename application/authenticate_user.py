"""Find out which of the host's users shows a token."""

from attrs import frozen

from tollkeeper.domain.claims_rules import ClaimsRule
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.token_verifier import TokenVerifier


@frozen
class AuthenticateUser:
    """Turn a user's token, as the host's issuer signed it, into the principal it stands for.

    Nothing is cached: a token is judged by its signature and the time at each call.
    """

    verifier: TokenVerifier | None
    rule: ClaimsRule

    async def __call__(self, token: str | Secret) -> Principal:
        """Return the user who holds *token*, the bearer token without the word before it.

        The principal's ``key_id`` is empty: no API key is involved.

        Raises:
            Unauthenticated: with one and the same text for a token that is malformed, forged or
                not for us; with its reason for one that is expired, not valid yet, or names no
                account.
            PermissionDenied: the token is good, but nothing is allowed to its user.
            PortError: the issuer's keys cannot be had; that is never "not valid".
            ConfigurationError: no issuer is set.
        """
        # A traceback may show the locals of this frame, so that none may hold the plain text.
        if not isinstance(token, Secret):
            token = Secret(token if isinstance(token, str) else "")
        if self.verifier is None:
            raise ConfigurationError(
                "token_verifier: no issuer of user tokens is set; set token_verifier "
                "(TOLLKEEPER_TOKEN_VERIFIER) to a URL, such as "
                "jwks+https://issuer.example/.well-known/jwks.json?issuer=…&audience=…",
                code="token_verifier_missing",
            )
        return self.rule.principal(await self.verifier.verify(token))
