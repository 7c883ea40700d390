"""Charge usage that the host measured itself."""

from collections.abc import Mapping

from attrs import frozen

from tollkeeper.application.admission import Admissions
from tollkeeper.application.metered_calls import MeteredCalls
from tollkeeper.domain.checks import (
    checked_account,
    checked_idempotency_key,
    checked_model,
    checked_operation,
)
from tollkeeper.domain.completions import Receipt
from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.principals import Principal


def _quantities(given: Mapping[Meter, int] | Mapping[str, int]) -> dict[Meter, int]:
    if not isinstance(given, Mapping) or not given:
        raise InvalidRequest("quantities is a mapping of one or more meters to whole numbers")
    quantities: dict[Meter, int] = {}
    for name, quantity in given.items():
        try:
            meter = Meter(name)
        except ValueError:
            known = ", ".join(Meter)
            raise InvalidRequest(f"{name} is no meter; there are {known}") from None
        if type(quantity) is not int or quantity < 0:
            raise InvalidRequest(f"the quantity of {meter} is a whole number, 0 or more")
        quantities[meter] = quantity
    return quantities


@frozen
class ChargeUsage:
    """Charge an account for work that was done elsewhere, at the price book's prices."""

    admissions: Admissions
    metered_calls: MeteredCalls

    async def __call__(
        self,
        *,
        account: str,
        model: str,
        operation: str,
        quantities: Mapping[Meter, int] | Mapping[str, int],
        idempotency_key: str,
    ) -> Receipt:
        """Charge *quantities* once for each *idempotency_key*, however often called.

        Raises:
            InvalidRequest: an argument is malformed.
            Unsupported: the model has no price.
            InsufficientCredit: the account cannot pay; nothing was charged or recorded.
            IdempotencyConflict: the key was used for other quantities.
        """
        calls = self.metered_calls
        measured = _quantities(quantities)
        key = checked_idempotency_key(idempotency_key)
        principal = Principal(
            account=checked_account(account), scopes={checked_operation(operation)}
        )
        admission = await self.admissions.entitle(
            principal, operation=operation, model=checked_model(model), meters=measured
        )
        return await calls.charge(
            admission, measured, idempotency_key=key, provenance=Provenance.REPORTED
        )
