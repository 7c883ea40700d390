"""The contract of :class:`tollkeeper.ports.ledger.Ledger`."""

from tollkeeper.contracts.ledger_attempts import LedgerAttempts
from tollkeeper.contracts.ledger_cancellation import LedgerCancellation
from tollkeeper.contracts.ledger_captures import LedgerCaptures
from tollkeeper.contracts.ledger_concurrency import LedgerConcurrency
from tollkeeper.contracts.ledger_expiry import LedgerExpiry
from tollkeeper.contracts.ledger_grants import LedgerGrants
from tollkeeper.contracts.ledger_holds import LedgerHolds


class LedgerContract(
    LedgerGrants,
    LedgerHolds,
    LedgerExpiry,
    LedgerCaptures,
    LedgerAttempts,
    LedgerConcurrency,
    LedgerCancellation,
):
    """What every ledger promises.

    Fixtures: ``ledger``, and ``usage_log`` of the same store, for captures log usage there. A
    state machine for the same port is in :mod:`tollkeeper.contracts.ledger_machine`.
    """
