"""Users' tokens, verified by PyJWT."""

from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self

from tollkeeper.adapters.pyjwt.addresses import Address, address_of
from tollkeeper.adapters.pyjwt.jwks import JwksKeys
from tollkeeper.adapters.pyjwt.keys import FixedKeys, Keys, PemKeys
from tollkeeper.adapters.pyjwt.tokens import read_claims, read_head
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret
from tollkeeper.domain.user_tokens import UserClaims, is_hidden, refuse, refuse_plain
from tollkeeper.ports.clock import Clock


class PyjwtTokenVerifier:
    """Verifies what the issuer of *address* signed, by *keys*; may be opened again.

    PyJWT judges the signature, in the one way that the key is for: what a token says of
    algorithms and keys decides nothing. The claims are judged by *clock*.
    """

    def __init__(self, address: Address, keys: Keys, clock: Clock) -> None:
        self._address = address
        self._keys = keys
        self._clock = clock

    @classmethod
    def from_url(cls, url: str, *, clock: Clock, secret: Secret | None = None) -> Self:
        """Make one from a URL as :func:`address_of` reads it; *secret* is for ``jwt+hs256://``.

        Raises:
            ConfigurationError: *url* or *secret* is wrong.
        """
        address = address_of(url)
        if address.kind == "hs256":
            return cls(address, FixedKeys.of(secret), clock)
        if secret is not None:
            raise ConfigurationError(
                "token_secret is for jwt+hs256:// alone; leave it out, so that no token can be "
                "signed by it"
            )
        if address.kind == "pem":
            return cls(address, PemKeys(Path(address.place), address.algorithms), clock)
        return cls(address, JwksKeys(address.place, clock), clock)

    def __repr__(self) -> str:
        return f"PyjwtTokenVerifier({self._address.terms.issuer!r})"

    async def __aenter__(self) -> Self:
        await self._keys.open()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._keys.close()

    async def verify(self, token: Secret) -> UserClaims:
        """Return what *token* says, all of it verified."""
        if not is_hidden(token):
            del token  # a traceback may show the locals of this frame
            raise refuse_plain()
        head = read_head(token, self._address.algorithms)
        if head is None:
            raise refuse()
        key = await self._keys.find(head.key_id, head.algorithm)
        if key is None:
            raise refuse()
        # No name for the claims here: they are personal, and would be in a traceback.
        return self._address.terms.admit(read_claims(token, key), now=self._clock.now())

    async def health(self) -> str:
        """Look whether the issuer's keys are there.

        Raises:
            PortError: they cannot be fetched.
            ConfigurationError: there are none that are of use.
        """
        return f"{await self._keys.health()}, PyJWT {version('pyjwt')}"
