"""Who may make a call, before any money is set aside."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from attrs import frozen

from tollkeeper.application.policy import Policy
from tollkeeper.domain.errors import InvalidRequest, RateLimited
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.plans import Plan
from tollkeeper.domain.price_book import PriceBook
from tollkeeper.domain.prices import ModelPrices
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
    never: frozenset[Meter] = frozenset()
    """Pools that the call cannot use, so that no money is set aside for them."""

    def worst_case(self, bounds: Mapping[Meter, int]) -> Money:
        """Return the most that the account may be charged for what *bounds* allow."""
        return self.prices.worst_case(bounds, markup_bps=self.plan.markup_bps, never=self.never)

    def rate(
        self,
        quantities: Mapping[Meter, int],
        *,
        call_id: str,
        provenance: Provenance,
        at: datetime,
        attempt: int = 1,
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
            attempt=attempt,
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
        plan = await self.plan_of(principal)
        prices = self.prices.prices_of(model, at=self.clock.now())
        prices.require(*meters)
        return Admission(principal, operation, model, plan, prices)

    def permitted(self, principal: Principal, operation: str) -> Principal:
        """Return *principal*, whose scopes must include *operation*.

        Raises:
            InvalidRequest: it is no Principal.
            PermissionDenied: the scope is missing.
        """
        _checked_principal(principal).require(operation)
        return principal

    async def plan_of(self, principal: Principal) -> Plan:
        """Return the plan that the principal's account has now.

        Raises:
            InvalidRequest: *principal* is no Principal.
        """
        _checked_principal(principal)
        at = self.clock.now()
        return await self.plan_store.plan_of(principal.account, at=at) or self.policy.default_plan

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
        self.permitted(principal, operation)
        plan = await self.plan_of(principal)
        admission = self.admission(
            principal, plan, operation=operation, model=model, priced_as=model, meters=meters
        )
        await self.count(admission)
        return admission

    def admission(
        self,
        principal: Principal,
        plan: Plan,
        *,
        operation: str,
        model: str,
        priced_as: str,
        meters: Iterable[Meter],
        never: frozenset[Meter] = frozenset(),
    ) -> Admission:
        """Check that *plan* includes *model*, which the price book has as *priced_as*.

        Raises:
            PermissionDenied: it does not.
            Unsupported: the model has no price, or none for one of *meters*.
        """
        plan.require(operation=operation, model=model)
        prices = self.prices.prices_of(priced_as, at=self.clock.now())
        prices.require(*meters)
        return Admission(principal, operation, model, plan, prices, never)

    async def count(self, admission: Admission) -> None:
        """Count the call against the rate limit of the account's plan.

        Raises:
            RateLimited: it allows no further call yet.
        """
        plan = admission.plan
        if plan.rate_limit is None:
            return
        # The braces keep an account on one node of a cluster, and spread the accounts.
        bucket = f"account:{{{admission.principal.account}}}"
        asked = RateRequest(bucket=bucket, limit=plan.rate_limit)
        decision = await self.rate_limiter.take([asked])
        if not decision.allowed:
            seconds = max(1, -(-decision.retry_after // timedelta(seconds=1)))
            raise RateLimited(
                f"the plan {plan.name} allows {plan.rate_limit}; try again in {seconds} s",
                retry_after=decision.retry_after,
            )
