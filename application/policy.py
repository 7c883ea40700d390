"""What the use cases are told by settings."""

from datetime import timedelta

from attrs import field, frozen

from tollkeeper.domain.plans import Plan
from tollkeeper.domain.quirks import OnUnsupported


@frozen
class Policy:
    """How calls are metered.

    *hold_ttl* exceeds *call_timeout*, so that no living call outlasts its hold. *default_plan*
    holds for accounts without a subscription. *answer_ttl* is how long the answer to a call with
    an idempotency key can be had again. *response_ttl* is how long an answer is given again to the
    same question of the same account; None asks every time. *overflow_fallback* and
    *filter_fallback* let the models answer that the catalogue names for the purpose.
    """

    currency: str = "USD"
    key_prefix: str = "tk_local"
    call_timeout: timedelta = timedelta(minutes=2)
    hold_ttl: timedelta = timedelta(minutes=10)
    close_timeout: timedelta = timedelta(seconds=5)
    default_max_tokens: int = 1024
    default_plan: Plan = field(factory=lambda: Plan("default"))
    answer_ttl: timedelta = timedelta(hours=24)
    response_ttl: timedelta | None = None
    hedge_after: timedelta | None = None
    on_unsupported: OnUnsupported = "refuse"
    overflow_fallback: bool = False
    filter_fallback: bool = False
