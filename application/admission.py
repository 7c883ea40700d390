"""Who may make a call, before any money is set aside."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from attrs import frozen

from tollkeeper.application.policy import Policy
from tollkeeper.domain.errors import InvalidRequest, RateLimited
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.plans import Plan
from tollkeeper.domain.prices import ModelPrices, PriceBook
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.rate_limits import RateRequest
from tollkeeper.domain.usage import UsageEvent, rate_usage
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.plan_store import PlanStore
from tollkeeper.ports.rate_limiter import RateLimiter


def _checked_principal(principal: Principal) -> Principal:
    if not isinstance(principal, Principal):
        raise InvalidRequest("principal must be a Principal, such as authenticate_key returns")
    return principal


@frozen
class Admission:
    """A principal whose scope, plan and rate limit allow the call."""

    principal: Principal
    operation: str
    model: str
    plan: Plan
    prices: ModelPrices

    def rate(
        self, quantities: Mapping[Meter, int], *, call_id: str, provenance: Provenance, at: datetime
    ) -> tuple[UsageEvent, ...]:
        """Price what the call measured."""
        return rate_usage(
            quantities,
            prices=self.prices,
            markup_bps=self.plan.markup_bps,
            call_id=call_id,
            account=self.principal.account,
            key_id=self.principal.key_id,
            operation=self.operation,
            model=self.model,
            provenance=provenance,
            at=at,
        )


@frozen
class Admissions:
    """Checks scope, plan, price and rate limit."""

    plan_store: PlanStore
    rate_limiter: RateLimiter
    clock: Clock
    prices: PriceBook
    policy: Policy

    async def entitle(
        self, principal: Principal, *, operation: str, model: str, meters: Iterable[Meter]
    ) -> Admission:
        """Find the plan and the prices that hold now, and check nothing else.

        Raises:
            InvalidRequest: *principal* is no Principal.
            Unsupported: the model has no price, or none for one of *meters*.
        """
        _checked_principal(principal)
        at = self.clock.now()
        plan = await self.plan_store.plan_of(principal.account, at=at) or self.policy.default_plan
        prices = self.prices.prices_of(model, at=at)
        prices.require(*meters)
        return Admission(principal, operation, model, plan, prices)

    async def admit(
        self, principal: Principal, *, operation: str, model: str, meters: Iterable[Meter]
    ) -> Admission:
        """Check scope, plan, price and rate limit, in that order; a refusal consumes nothing.

        Raises:
            InvalidRequest: *principal* is no Principal.
            PermissionDenied: the scope is missing, or the plan does not include it.
            Unsupported: the model has no price, or none for one of *meters*.
            RateLimited: the account's plan allows no further call yet.
        """
        _checked_principal(principal).require(operation)
        at = self.clock.now()
        plan = await self.plan_store.plan_of(principal.account, at=at) or self.policy.default_plan
        plan.require(operation=operation, model=model)
        prices = self.prices.prices_of(model, at=at)
        prices.require(*meters)
        admission = Admission(principal, operation, model, plan, prices)
        if plan.rate_limit is not None:
            asked = RateRequest(bucket=f"account:{principal.account}", limit=plan.rate_limit)
            decision = await self.rate_limiter.take([asked])
            if not decision.allowed:
                seconds = max(1, -(-decision.retry_after // timedelta(seconds=1)))
                raise RateLimited(
                    f"the plan {plan.name} allows {plan.rate_limit}; try again in {seconds} s",
                    retry_after=decision.retry_after,
                )
        return admission
