"""Report what an account used, paid and has left."""

from datetime import datetime

from attrs import frozen

from tollkeeper.application.policy import Policy
from tollkeeper.domain.checks import checked_account, checked_time
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.usage import UsageReport
from tollkeeper.ports.ledger import Ledger
from tollkeeper.ports.usage_log import UsageLog


@frozen
class ReportUsage:
    """Add up an account's usage."""

    usage_log: UsageLog
    ledger: Ledger
    policy: Policy

    async def __call__(
        self, *, account: str, since: datetime | None = None, until: datetime | None = None
    ) -> UsageReport:
        """Return the usage from *since* until before *until* (each open if None), and the balances.

        Balances are shown for the settings' currency and for those of the usage in the period;
        ``list_entries(currency=…)`` tells of others.

        Raises:
            InvalidRequest: an argument is malformed, or *until* is not after *since*.
        """
        checked_account(account)
        since = None if since is None else checked_time(since, field="since")
        until = None if until is None else checked_time(until, field="until")
        if since is not None and until is not None and until <= since:
            raise InvalidRequest("until must be after since")
        totals = await self.usage_log.totals(account=account, since=since, until=until)
        currencies = {self.policy.currency, *(total.charge.currency for total in totals)}
        balances = [
            await self.ledger.balance(account=account, currency=currency)
            for currency in sorted(currencies)
        ]
        return UsageReport(account, since, until, totals, tuple(balances))
