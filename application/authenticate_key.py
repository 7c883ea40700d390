"""Find out who holds an API key."""

from collections import OrderedDict
from datetime import datetime, timedelta

from attrs import field, frozen

from tollkeeper.application.key_minting import KeyMint
from tollkeeper.domain.errors import PortError
from tollkeeper.domain.key_tokens import parse_token, refuse
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.key_store import KeyStore

_USE_NOTED_EVERY = timedelta(minutes=1)
_MOST_USES_REMEMBERED = 10_000


@frozen
class AuthenticateKey:
    """Turn the text of an API key into the principal it stands for.

    Each call reads the key from the store: nothing is cached, so that a key revoked anywhere is
    refused everywhere at once.
    """

    key_store: KeyStore
    mint: KeyMint
    clock: Clock
    _noted: "OrderedDict[str, datetime]" = field(
        factory=OrderedDict, init=False, repr=False, eq=False
    )

    async def __call__(self, token: str | Secret) -> Principal:
        """Return who holds *token*.

        Raises:
            Unauthenticated: with one and the same text for a key that is malformed, unknown or
                wrong; with its reason for one that is expired, revoked or rotated out.
            PortError: the store cannot say; that is never "no such key".
        """
        # A traceback may show the locals of this frame, so that none may hold the plain text.
        if not isinstance(token, Secret):
            token = Secret(token if isinstance(token, str) else "")
        kid = parse_token(token.reveal(), prefix=self.mint.prefix).kid
        key = await self.key_store.find(kid)
        secret = key.secret(kid) if key is not None else None
        proved = self.mint.proves(token.reveal(), secret)
        if key is None or not proved:
            raise refuse()
        now = self.clock.now()
        principal = key.admit(kid, at=now)
        await self._note_use(key.id, now)
        return principal

    async def _note_use(self, key_id: str, now: datetime) -> None:
        """Note the use, once a minute for each key."""
        last = self._noted.get(key_id)
        if last is not None and now - last < _USE_NOTED_EVERY:
            return
        self._noted[key_id] = now
        self._noted.move_to_end(key_id)
        if len(self._noted) > _MOST_USES_REMEMBERED:
            self._noted.popitem(last=False)
        try:
            await self.key_store.mark_used({key_id: now})
        except PortError:
            # The key is good; when it was last used is a courtesy. Try again with the next use.
            self._noted.pop(key_id, None)
