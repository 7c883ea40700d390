"""Who may make a call, before any money is set aside."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from attrs import frozen

from tollkeeper.application.call_limits import CallLimits
from tollkeeper.application.policy import Policy
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.plans import Plan
from tollkeeper.domain.price_book import PriceBook
from tollkeeper.domain.prices import ModelPrices
from tollkeeper.domain.principals import Principal
from tollkeeper.domain.usage import UsageEvent, rate_usage
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.plan_store import PlanStore


def _checked_principal(principal: Principal) -> Principal:
    if not isinstance(principal, Principal):
        raise InvalidRequest("principal must be a Principal, such as authenticate_key returns")
    return principal


@frozen
class Admission:
    """A principal whose scope, plan and limits allow the call."""

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
    """Checks scope, plan, price and limits."""

    plan_store: PlanStore
    call_limits: CallLimits
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
        """Check scope, plan, price and limits, in that order; a refusal consumes nothing.

        Raises:
            InvalidRequest: *principal* is no Principal.
            PermissionDenied: the scope is missing, or the plan does not include it.
            Unsupported: the model has no price, or none for one of *meters*.
            RateLimited: the account's plan, or the key, allows no further call yet.
            QuotaExceeded: the key's quota is used up.
            PortError: what counts the calls is away; see :class:`CallLimits`.
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
        """Count the call against the account's plan, the key's own limits and the key's quota.

        Raises:
            RateLimited: the plan, or the key, allows no further call yet.
            QuotaExceeded: the key's quota is used up.
            PortError: what counts the calls is away; see :class:`CallLimits`.
        """
        await self.call_limits.count(admission.principal, admission.plan)
