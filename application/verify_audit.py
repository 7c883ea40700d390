"""Check that audit logs are whole: nothing changed, nothing missing, nothing moved."""

from collections.abc import AsyncIterator, Callable, Sequence

from attrs import evolve, field, frozen

from tollkeeper.application.manage_plans import EVERYONE
from tollkeeper.domain.audit import AuditHead, AuditKey, ChainBreak, ChainState, Fault, follow
from tollkeeper.domain.checks import checked_account
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.ports.audit_log import AuditLog

_PAGE = 500


@frozen
class AuditCheck:
    """How far the chain of *account* holds, and where it breaks, if it does."""

    account: str
    state: ChainState

    @property
    def ok(self) -> bool:
        """Whether it holds to its end."""
        return self.state.fault is None


@frozen
class VerifyAudit:
    """Follow the chain of MACs through an account's audit log, or all of them."""

    audit_log: AuditLog
    keys: Sequence[AuditKey] = field(repr=False)

    async def __call__(
        self,
        *,
        account: str,
        known: AuditHead | None = None,
        unchained: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> AuditCheck:
        """Check the log of *account* (``*``: of the plans and of unknown callers).

        Entries without a MAC are a break, unless they are *unchained*: written before there were
        chains, they may stand at the beginning, and nothing proves them. *known* is where the
        chain ended at some time, written down outside of the store: with it, a log whose end was
        cut off is told too. *progress* hears how many entries were followed.

        Raises:
            InvalidRequest: *account* is malformed.
            PortError: the log cannot be read.
        """
        if account != EVERYONE:
            checked_account(account)
        if known is not None and not isinstance(known, AuditHead):
            raise InvalidRequest("known is an AuditHead, such as a former check ended with")
        keys = {key.id: key for key in self.keys}
        state, after = ChainState(), None
        while state.fault is None:
            page = await self.audit_log.entries(account=account, after=after, limit=_PAGE)
            if not page:
                break
            for entry in page:
                state = follow(state, [entry], keys)
                if state.unchained and not unchained and state.fault is None:
                    state = evolve(state, fault=ChainBreak(1, Fault.UNCHAINED, entry.id))
                state = _held_against(state, known)
            after = page[-1].id
            if progress is not None:
                progress(state.head.sequence)
        if state.fault is None and known is not None and state.head.sequence < known.sequence:
            cut = ChainBreak(state.head.sequence + 1, Fault.CUT)
            state = evolve(state, fault=cut)
        return AuditCheck(account, state)

    async def all(
        self, *, unchained: bool = False, progress: Callable[[int], None] | None = None
    ) -> AsyncIterator[AuditCheck]:
        """Check the logs of all accounts that have one, one after the other, in the same way."""
        after = None
        while accounts := await self.audit_log.accounts(after=after, limit=_PAGE):
            for account in accounts:
                yield await self(account=account, unchained=unchained, progress=progress)
            after = accounts[-1]


def _held_against(state: ChainState, known: AuditHead | None) -> ChainState:
    if known is None or state.fault is not None or state.head.sequence != known.sequence:
        return state
    if state.head.mac == known.mac:
        return state
    return evolve(state, fault=ChainBreak(known.sequence, Fault.CHANGED))
