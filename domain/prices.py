"""Prices, exactly: a price is *amount* for *per* units, never a rounded per-unit figure.

**Rounding, the only place:** the charge of one usage event is its exact rational price, rounded
up to a whole nano-unit. Nothing else on the money path rounds. A call's charge is the sum of its
events' charges, so it exceeds the exact price by less than one nano per event.

**Tiers:** some models cost more when a call reads more than so many tokens. The whole call, what
it writes included, is then charged at the prices of the tier that all it read together falls in.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, time

from attrs import evolve, field, frozen

from tollkeeper.domain.errors import ConfigurationError, InvalidRequest, Unsupported
from tollkeeper.domain.meters import INPUT_POOLS, OUTPUT_POOLS, Meter
from tollkeeper.domain.money import Money
from tollkeeper.domain.read_only import made_anew, read_only

BASIS_POINTS = 10_000
_STAND_INS: Mapping[Meter, Meter] = {
    Meter.CACHED_INPUT_TOKENS: Meter.INPUT_TOKENS,
    Meter.CACHE_WRITE_TOKENS: Meter.INPUT_TOKENS,
    Meter.CACHE_WRITE_1H_TOKENS: Meter.CACHE_WRITE_TOKENS,
    Meter.INPUT_AUDIO_TOKENS: Meter.INPUT_TOKENS,
    Meter.REASONING_TOKENS: Meter.OUTPUT_TOKENS,
    Meter.OUTPUT_AUDIO_TOKENS: Meter.OUTPUT_TOKENS,
}
"""The pool whose price (or stand-in) holds where a pool has none: never free by accident."""


def _not_negative(_: object, __: object, amount: Money) -> None:
    if amount.nanos < 0:
        raise InvalidRequest("a price cannot be negative", code="invalid_price")


def _positive(_: object, __: object, per: int) -> None:
    if type(per) is not int or per < 1:
        raise InvalidRequest("a price is per 1 or more units", code="invalid_price")


_FAMILIES: Mapping[Meter, tuple[Meter, ...]] = {
    Meter.INPUT_TOKENS: INPUT_POOLS,
    Meter.OUTPUT_TOKENS: OUTPUT_POOLS,
}


@frozen
class Price:
    """*amount* for *per* units of a meter: 2.50 USD per 1 000 000 input tokens."""

    amount: Money = field(validator=_not_negative)
    per: int = field(validator=_positive)

    def of(self, quantity: int, *, markup_bps: int = 0) -> Money:
        """Price *quantity* units plus a markup in basis points, rounded up to a nano.

        Raises:
            InvalidRequest: *quantity* or *markup_bps* is negative or no int.
        """
        if type(quantity) is not int or type(markup_bps) is not int:
            raise InvalidRequest("quantities and markups are whole numbers")
        if quantity < 0 or markup_bps < 0:
            raise InvalidRequest("quantities and markups cannot be negative")
        return Money(self._nanos_of(quantity, markup_bps), self.amount.currency)

    def _nanos_of(self, quantity: int, markup_bps: int) -> int:
        exact = quantity * self.amount.nanos * (BASIS_POINTS + markup_bps)
        return -(-exact // (self.per * BASIS_POINTS))

    def is_whole(self, *, markup_bps: int = 0) -> bool:
        """Whether one unit costs a whole number of nanos, so that nothing is ever rounded."""
        return self.amount.nanos * (BASIS_POINTS + markup_bps) % (self.per * BASIS_POINTS) == 0


def _kept(prices: Mapping[Meter, Price]) -> Mapping[Meter, Price]:
    return read_only(prices)


@frozen
class Tier:
    """The prices of calls that read more than *above* tokens, of whatever pool."""

    above: int
    prices: Mapping[Meter, Price] = field(converter=_kept)

    __reduce__ = made_anew


def _tuple(tiers: Iterable[Tier]) -> tuple[Tier, ...]:
    return tuple(tiers)


@frozen
class ModelPrices:
    """What one model costs from *effective_from* until before *effective_to*.

    The model ``provider/*`` stands for all of the provider's models that have no entry.
    *prices* maps each priced meter to its price, all in one currency. *source* says where the
    figures come from. *flagged* marks a default price that stands in for an unknown one.
    *tiers* rise, and each prices the same meters as *prices*, which hold below the first.
    """

    model: str
    effective_from: datetime
    prices: Mapping[Meter, Price] = field(converter=_kept)
    source: str = ""
    effective_to: datetime | None = None
    flagged: bool = False
    tiers: tuple[Tier, ...] = field(default=(), converter=_tuple)
    _id: str = field(init=False, repr=False, eq=False)
    _families: Mapping[Meter, tuple[tuple[Price, ...], int, bool]] = field(
        init=False, repr=False, eq=False
    )
    """The prices of what is read and of what is written, how many pools have one, and whether all
    of them are whole where there is no markup."""
    _of_tiers: "tuple[ModelPrices, ...]" = field(default=(), init=False, repr=False, eq=False)
    """What calls cost in each tier, made once: a call asks for it before and after."""

    __reduce__ = made_anew

    @_id.default
    def _named(self) -> str:
        since = self.effective_from
        # Prices that change within a day are told apart by their time.
        written = since.date() if since.time() == time() else since
        return f"{self.model}@{written.isoformat()}{'!' * self.flagged}"

    @_families.default
    def _by_family(self) -> Mapping[Meter, tuple[tuple[Price, ...], int, bool]]:
        return read_only({meter: self._family(meter) for meter in _FAMILIES})

    def _family(self, meter: Meter) -> tuple[tuple[Price, ...], int, bool]:
        pools = map(self.price_of, _FAMILIES.get(meter, (meter,)))
        found = [price for price in pools if price is not None]
        unlike = tuple(dict.fromkeys(found))
        return unlike, len(found), all(price.is_whole() for price in unlike)

    def __attrs_post_init__(self) -> None:
        for moment in (self.effective_from, self.effective_to):
            if moment is not None and moment.utcoffset() is None:
                raise ConfigurationError(f"prices of {self.model}: dates need a time zone")
        if len({price.amount.currency for price in self.prices.values()}) != 1:
            raise ConfigurationError(f"prices of {self.model}: one currency, at least one price")
        if self.effective_to is not None and self.effective_to <= self.effective_from:
            raise ConfigurationError(f"prices of {self.model}: effective_to is not after its from")
        self._check_tiers()
        made = tuple(evolve(self, prices=tier.prices, tiers=()) for tier in self.tiers)
        object.__setattr__(self, "_of_tiers", made)

    def _check_tiers(self) -> None:
        least = 0
        for tier in self.tiers:
            if type(tier.above) is not int or tier.above <= least:
                raise ConfigurationError(
                    f"prices of {self.model}: each tier is above a larger number of input tokens"
                )
            least = tier.above
            if tier.prices.keys() != self.prices.keys():
                raise ConfigurationError(
                    f"prices of {self.model}: the tier above {tier.above} must price "
                    f"{', '.join(self.prices)}, no more and no less"
                )
            if any(price.amount.currency != self.currency for price in tier.prices.values()):
                raise ConfigurationError(f"prices of {self.model}: one currency in all tiers")

    @property
    def currency(self) -> str:
        """The currency of every price here."""
        return next(iter(self.prices.values())).amount.currency

    @property
    def id(self) -> str:
        """Names this snapshot: ``openai/gpt-4o@2024-10-01``, with a ``!`` if it is flagged."""
        return self._id

    def covers(self, at: datetime) -> bool:
        """Whether these prices hold at *at*."""
        return self.effective_from <= at and (self.effective_to is None or at < self.effective_to)

    def price_of(self, meter: Meter) -> Price | None:
        """The price of *meter*, or of its stand-in; None where calls are not priced by it.

        Where there are tiers, this is the price of a short call; see :meth:`for_input`.
        """
        price = self.prices.get(meter)
        while price is None and meter in _STAND_INS:
            meter = _STAND_INS[meter]
            price = self.prices.get(meter)
        return price

    def for_input(self, tokens: int) -> "ModelPrices":
        """Return the prices of a call that reads *tokens* in all; the snapshot's name stays."""
        for tier, prices in zip(reversed(self.tiers), reversed(self._of_tiers), strict=True):
            if tokens > tier.above:
                return prices
        return self

    def for_quantities(self, quantities: Mapping[Meter, int]) -> "ModelPrices":
        """Return the prices of a call that was measured as *quantities*."""
        if not self.tiers:
            return self
        return self.for_input(sum(quantities.get(pool, 0) for pool in INPUT_POOLS))

    def require(self, *meters: Meter) -> None:
        """Check that work measured by *meters* is not free by accident.

        A price per request is enough; what is meant to be free is priced ``0 per 1``.

        Raises:
            Unsupported: a meter has no price, nor a stand-in (code ``model_unpriced``).
        """
        if Meter.REQUESTS in self.prices:
            return
        missing = [str(meter) for meter in meters if self.price_of(meter) is None]
        if missing:
            raise Unsupported(
                f"the prices of {self.model} name none for {', '.join(missing)}; add it to the "
                'price book ("0 per 1" if it is free)',
                code="model_unpriced",
            )

    def worst_case(
        self,
        bounds: Mapping[Meter, int],
        *,
        markup_bps: int = 0,
        never: frozenset[Meter] = frozenset(),
    ) -> Money:
        """Price the upper *bounds* as if each unit fell in the dearest pool of its family.

        ``INPUT_TOKENS`` and ``OUTPUT_TOKENS`` in *bounds* bound their whole families, but for the
        pools in *never*, which the call cannot use. Of the tiers that so much input can reach, the
        dearest counts, for each family by itself.
        """
        if not self.tiers and not never:
            return Money(self._worst_of_one_tier(bounds, markup_bps), self.currency)
        total = 0
        reachable = self._reachable(bounds) if self.tiers else (self,)
        for meter, quantity in bounds.items():
            family = _FAMILIES.get(meter, (meter,))
            prices = [
                price
                for tier in reachable
                for pool in family
                if pool not in never and (price := tier.price_of(pool)) is not None
            ]
            # Whole numbers until the sum: this runs before every call.
            total += max([price._nanos_of(quantity, markup_bps) for price in prices], default=0)
            if not all(price.is_whole(markup_bps=markup_bps) for price in prices):
                # A family split over several pools rounds each of them up by itself.
                total += max(min(quantity, len(prices) // len(reachable)) - 1, 0)
        return Money(total, self.currency)

    def _worst_of_one_tier(self, bounds: Mapping[Meter, int], markup_bps: int) -> int:
        total = 0
        for meter, quantity in bounds.items():
            prices, pools, whole = self._families.get(meter) or self._family(meter)
            # Whole numbers until the sum: this runs before every call.
            total += max([price._nanos_of(quantity, markup_bps) for price in prices], default=0)
            if markup_bps:
                whole = all(price.is_whole(markup_bps=markup_bps) for price in prices)
            if not whole:
                # A family split over several pools rounds each of them up by itself.
                total += max(min(quantity, pools) - 1, 0)
        return total

    def _reachable(self, bounds: Mapping[Meter, int]) -> "tuple[ModelPrices, ...]":
        most = sum(bounds.get(pool, 0) for pool in INPUT_POOLS)
        return (self, *(self.for_input(t.above + 1) for t in self.tiers if t.above < most))
