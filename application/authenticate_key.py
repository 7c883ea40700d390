"""Find out who holds an API key."""

from collections import OrderedDict
from datetime import datetime
from hmac import compare_digest

from attrs import define, field

from tollkeeper.application.attempt_limits import AttemptLimits
from tollkeeper.application.key_minting import KeyMint
from tollkeeper.application.key_reads import KeyReads
from tollkeeper.application.key_renewal import KeyRenewal
from tollkeeper.application.key_uses import KeyUses
from tollkeeper.application.known_keys import Known
from tollkeeper.application.refusals import TAMPERED, Refusals
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.errors import DomainError, PortError, Unauthenticated
from tollkeeper.domain.key_tokens import kid_of, matches, refuse
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.secret import Secret
from tollkeeper.ports.clock import Clock

_ENDED_FOR = 3600.0
_MOST_ENDED = 10_000


@define(eq=False)
class AuthenticateKey:
    """Turn the text of an API key into the principal it stands for.

    A key that was seen lately costs no I/O and never waits; see ``docs/api-keys.md`` for how soon
    a change reaches every process.
    """

    reads: KeyReads
    mint: KeyMint
    clock: Clock
    attempts: AttemptLimits
    refusals: Refusals
    uses: KeyUses
    renewal: KeyRenewal
    _ended: "OrderedDict[str, tuple[float, str]]" = field(
        factory=OrderedDict, init=False, repr=False
    )
    """Secrets whose time was seen to be over: a clock that is set back does not revive them."""

    async def __call__(
        self, token: str | Secret, *, client_address: str | None = None
    ) -> Principal:
        """Return who holds *token*; *client_address* is the IP address that the caller has.

        Raises:
            Unauthenticated: with one and the same text for a key that is malformed, unknown or
                wrong; with its reason for one that is expired, revoked, disabled or rotated out.
            PermissionDenied: the key does not work from *client_address*.
            RateLimited: too many keys that are not good came from there (code
                ``too_many_attempts``); the store was not asked.
            PortError: the store cannot say; that is never "no such key".
        """
        # A traceback may show the locals of these frames: where one begins, no local holds the
        # plain text any more.
        text = token.reveal() if isinstance(token, Secret) else token
        kid = kid_of(text, self.mint.prefix)
        if kid is None:
            token = text = ""
            self.refusals.note("malformed")
            raise refuse()
        now = self.clock.monotonic()
        known = self.reads.known.find(kid, now=now)
        if known is None:
            token = Secret(text)
            text = ""
            known, good = await self._look_up(token, kid, client_address)
        else:
            good = compare_digest(known.pepper.verifier(text), known.secret.verifier)
            token = text = ""
        if not good:
            raise self._wrong(kid, client_address, "wrong_secret")
        if self._ended:
            self._check_not_ended(known)
        if not known.lasting:
            at = self.clock.now()
            if not (known.plain and known.starts <= at and (known.ends is None or at < known.ends)):
                self._check(known, at, client_address)
        if self.uses.is_due(known.key.id, now):
            self.uses.note(known.key.id, at=self.clock.now(), now=now)
        return known.principal

    def _is_of(self, token: Secret, known: Known) -> bool:
        return matches(token.reveal(), known.secret.verifier, known.pepper)

    def _check_not_ended(self, known: Known) -> None:
        until, code = self._ended.get(known.secret.kid, (0.0, ""))
        if self.clock.monotonic() < until:
            self.refusals.note(code, account=known.key.account, key_id=known.key.id)
            raise Unauthenticated("the time of the API key is over", code=code)

    def _check(self, known: Known, now: datetime, address: str | None) -> None:
        """Let the domain judge what is not plain; what it refuses is counted."""
        try:
            known.key.admit(known.secret.kid, at=now, address=address)
        except DomainError as error:
            self.refusals.note(error.code, account=known.key.account, key_id=known.key.id)
            if error.code in ("key_expired", "key_rotated") and known.starts <= now:
                self._ended[known.secret.kid] = (self.clock.monotonic() + _ENDED_FOR, error.code)
                if len(self._ended) > _MOST_ENDED:
                    self._ended.popitem(last=False)
            raise

    async def _look_up(self, token: Secret, kid: str, address: str | None) -> tuple[Known, bool]:
        """Ask the store, if this caller may; say whether *token* is that of what it found."""
        shown = self.reads.is_shown(kid, token)
        if shown is False or self.reads.known.is_absent(kid, now=self.clock.monotonic()):
            self.mint.proves(token.reveal(), None)  # the same time as for one that is looked up
            raise self._wrong(kid, address, "unknown" if shown is None else "wrong_secret")
        # Who comes while the same kid is read is no attempt of its own; else the many callers of
        # one good key would be taken for somebody who guesses.
        first = shown is None and not self.reads.under_way(kid)
        if first:
            self.attempts.take(address, kid)
        try:
            found = await self.reads.read(kid)
        except PortError:
            # Nobody was found out to be wrong: who tries on through an outage is not shut out.
            if first:
                self.attempts.give_back(address, kid)
            raise
        if found is None or not isinstance(found, Known):
            raise self._refuse_record(token, kid, address, found, counted=first)
        if not self._is_of(token, found):
            if first:
                self.refusals.note("wrong_secret")
                raise refuse()
            return found, False  # refused, and counted as an attempt, where all are
        if first:
            self.attempts.give_back(address, kid)
        self.reads.note_shown(kid, token)
        await self.renewal.renew(found, token)
        return found, True

    def _refuse_record(
        self, token: Secret, kid: str, address: str | None, key: ApiKey | None, *, counted: bool
    ) -> Unauthenticated:
        proved = self.mint.proves(token.reveal(), None if key is None else key.secret(kid))
        if key is not None and key.seal is not None:
            # Told also where the token is not proved: the verifier may be what was tampered with.
            self.refusals.note(TAMPERED, account=key.account, key_id=key.id)
            if proved and counted:
                self.attempts.give_back(address, kid)
            elif not proved and not counted:
                self.attempts.take(address, kid)
            return refuse()
        if key is None or not proved:
            if counted:
                self.refusals.note("unknown")
                return refuse()
            return self._wrong(kid, address, "unknown")
        if counted:
            self.attempts.give_back(address, kid)
        self.refusals.note("unsealed", account=key.account, key_id=key.id)
        return Unauthenticated(
            "the API key was made before keys were sealed; whoever runs this service must seal it",
            code="key_unsealed",
        )

    def _wrong(self, kid: str, address: str | None, reason: str) -> Unauthenticated:
        """Count an attempt that failed; too many of them are told so."""
        self.refusals.note(reason)
        self.attempts.take(address, kid)
        return refuse()
