"""Usage events and the reports made of them."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from attrs import field, frozen

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.ledger import Balance
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.prices import ModelPrices


def _check_quantity(_: object, __: object, quantity: int) -> None:
    if type(quantity) is not int or not 0 <= quantity < 2**63:
        raise InvalidRequest("a quantity is a whole number, 0 or more", code="invalid_quantity")


@frozen
class UsageEvent:
    """One immutable measurement: *quantity* of *meter*, and what it costs the account.

    *cost* is what the provider takes, *charge* what the account pays; *price_id* names the
    prices used. *call_id* groups the events of one call.
    """

    id: str
    account: str
    key_id: str
    call_id: str
    operation: str
    model: str
    meter: Meter
    quantity: int = field(validator=_check_quantity)
    provenance: Provenance
    cost: Money
    charge: Money
    price_id: str
    occurred_at: datetime
    attempt: int = 1
    """Which request of the call was measured, counted from 1."""

    def same_measurement(self, other: "UsageEvent") -> bool:
        """Whether *other* says the same but for the time at which it says so."""
        return (
            self.id == other.id
            and self.account == other.account
            and self.meter is other.meter
            and self.quantity == other.quantity
            and self.charge == other.charge
            and self.model == other.model
        )


def rate_usage(
    quantities: Mapping[Meter, int],
    *,
    prices: ModelPrices,
    markup_bps: int,
    call_id: str,
    account: str,
    key_id: str,
    operation: str,
    model: str,
    provenance: Provenance,
    at: datetime,
    attempt: int = 1,
) -> tuple[UsageEvent, ...]:
    """Turn measured *quantities* into priced usage events, one for each meter that is not zero.

    A meter without a price of its own or a stand-in is recorded and costs nothing: such a model
    is priced by another meter (a flat price per request, say). Where prices rise with the input,
    all of *quantities* together say which of them hold.
    """
    prices = prices.for_quantities(quantities)
    nothing = Money.zero(prices.currency)
    price_id = prices.id
    events = []
    for meter, quantity in quantities.items():
        if quantity == 0:
            continue
        price = prices.price_of(meter)
        cost = price.of(quantity) if price else nothing
        charge = price.of(quantity, markup_bps=markup_bps) if price and markup_bps else cost
        # By place, since every call makes some of these.
        events.append(
            UsageEvent(
                f"{call_id}:{meter}",
                account,
                key_id,
                call_id,
                operation,
                model,
                meter,
                quantity,
                provenance,
                cost,
                charge,
                price_id,
                at,
                attempt,
            )
        )
    return tuple(events)


def total_charge(events: Iterable[UsageEvent], *, currency: str) -> Money:
    """Add up the charges of *events*, all in *currency*."""
    return _sum([event.charge for event in events], currency)


def total_cost(events: Iterable[UsageEvent], *, currency: str) -> Money:
    """Add up what the provider takes for *events*, all in *currency*."""
    return _sum([event.cost for event in events], currency)


def _sum(amounts: Iterable[Money], currency: str) -> Money:
    nanos = 0
    for amount in amounts:
        if amount.currency != currency:
            raise InvalidRequest(
                f"{currency} and {amount.currency} do not mix", code="currency_mismatch"
            )
        nanos += amount.nanos
    return Money(nanos, currency)


@frozen
class UsageTotal:
    """The sum of an account's usage events of one model, operation, meter and currency."""

    operation: str
    model: str
    meter: Meter
    events: int
    quantity: int
    estimated: int
    """How much of *quantity* was estimated."""
    charge: Money


@frozen
class UsageReport:
    """What *account* used and paid from *since* until before *until*, and what it has left."""

    account: str
    since: datetime | None
    until: datetime | None
    totals: tuple[UsageTotal, ...]
    balances: tuple[Balance, ...]

    @property
    def charges(self) -> tuple[Money, ...]:
        """The sum of all charges, one amount for each currency."""
        sums: dict[str, Money] = {}
        for total in self.totals:
            currency = total.charge.currency
            sums[currency] = sums.get(currency, Money.zero(currency)) + total.charge
        return tuple(sums[currency] for currency in sorted(sums))

    def __str__(self) -> str:
        rows = [
            (t.operation, t.model, str(t.meter), f"{t.quantity:,}", str(t.charge))
            for t in self.totals
        ]
        table = [("operation", "model", "meter", "quantity", "charge"), *rows]
        widths = [max(len(row[column]) for row in table) for column in range(5)]
        lines = [f"usage of {self.account}"]
        for row in table:
            left = [cell.ljust(width) for cell, width in zip(row[:3], widths[:3], strict=True)]
            right = [cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)]
            lines.append("  ".join(left + right))
        charges = ", ".join(map(str, self.charges)) or "nothing"
        balances = ", ".join(f"{b.available} available, {b.held} held" for b in self.balances)
        lines.append(f"charged {charges}; {balances or 'no balance'}")
        return "\n".join(lines)
