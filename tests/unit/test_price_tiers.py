"""Prices that rise with the input: one tier for the whole call, and a hold that covers it."""

from datetime import UTC, datetime

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.meters import INPUT_POOLS, OUTPUT_POOLS, Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.prices import ModelPrices, Price, Tier
from tollkeeper.domain.usage import rate_usage, total_charge

JAN = datetime(2026, 1, 1, tzinfo=UTC)
READ, WRITTEN = Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS


def usd(amount: str, per: int = 1_000_000) -> Price:
    return Price(Money.of(amount, "USD"), per)


def priced(*tiers: Tier, **prices: Price) -> ModelPrices:
    by_meter = {Meter(name): price for name, price in prices.items()}
    return ModelPrices(
        model="gemini/gemini-2.5-pro",
        effective_from=JAN,
        prices=by_meter or {READ: usd("1.25"), WRITTEN: usd("10")},
        tiers=tiers,
    )


LONG = Tier(200_000, {READ: usd("2.50"), WRITTEN: usd("15")})
LONGEST = Tier(500_000, {READ: usd("5"), WRITTEN: usd("20")})


def charged(prices: ModelPrices, quantities: dict[Meter, int], *, markup_bps: int = 0) -> Money:
    events = rate_usage(
        quantities,
        prices=prices,
        markup_bps=markup_bps,
        call_id="call-1",
        account="acme",
        key_id="key-1",
        operation="chat:complete",
        model=prices.model,
        provenance=Provenance.REPORTED,
        at=JAN,
    )
    assert {event.price_id for event in events} <= {prices.id}
    return total_charge(events, currency="USD")


@pytest.mark.parametrize(
    ("read", "amount"),
    [
        (200_000, "0.26"),
        (200_001, "0.5150025"),
        (500_000, "1.265"),
        (500_001, "2.520005"),
    ],
)
def test_the_whole_call_is_charged_by_the_tier_that_its_input_falls_in(
    read: int, amount: str
) -> None:
    prices = priced(LONG, LONGEST)
    assert charged(prices, {READ: read, WRITTEN: 1_000}) == Money.of(amount, "USD")


@pytest.mark.parametrize("pool", INPUT_POOLS)
def test_input_of_every_pool_counts_towards_the_tier(pool: Meter) -> None:
    quantities = {READ: 150_000, WRITTEN: 1_000_000}
    assert charged(priced(LONG), quantities) == Money.of("10.1875", "USD")
    quantities[pool] = quantities.get(pool, 0) + 50_001
    assert charged(priced(LONG), quantities) > Money.of("15", "USD")


def test_output_does_not_count_towards_the_tier() -> None:
    assert charged(priced(LONG), {WRITTEN: 1_000_000}) == Money.of("10", "USD")


def test_the_prices_of_a_tier_keep_the_name_of_the_snapshot() -> None:
    prices = priced(LONG)
    assert prices.for_input(200_000) is prices
    long = prices.for_input(200_001)
    assert (long.id, long.prices, long.tiers) == (prices.id, LONG.prices, ())
    assert evolve(prices, flagged=True).for_input(200_001).flagged
    assert priced().for_quantities({READ: 10**9}) == priced()


def test_the_worst_case_takes_only_tiers_that_the_bound_can_reach() -> None:
    prices = priced(LONG, LONGEST)
    bounds = {READ: 200_000, WRITTEN: 1_000}
    assert prices.worst_case(bounds) == charged(prices, bounds) == Money.of("0.26", "USD")
    bounds[READ] += 1
    assert prices.worst_case(bounds) == charged(prices, bounds) == Money.of("0.5150025", "USD")


def test_the_worst_case_counts_the_cheaper_of_two_tiers_too() -> None:
    # Longer input that is cheaper: the short call may still be what happens.
    cheap = Tier(100, {READ: usd("1"), WRITTEN: usd("1")})
    prices = priced(cheap, input_tokens=usd("1"), output_tokens=usd("40"))
    bounds = {READ: 1_000, WRITTEN: 1_000}
    assert prices.worst_case(bounds) >= charged(prices, {READ: 100, WRITTEN: 1_000})


NANOS = st.integers(0, 10**12)
PERS = st.sampled_from([1, 3, 7, 1000, 60_000, 1_000_000])
PRICE = st.builds(lambda nanos, per: Price(Money(nanos, "USD"), per), NANOS, PERS)
ABOVE = st.lists(st.integers(1, 20) | st.integers(1, 2_000_000), max_size=3, unique=True)
QUANTITY = st.integers(0, 5) | st.integers(0, 1_000_000)


@st.composite
def tiered(draw: st.DrawFn) -> ModelPrices:
    meters = draw(st.sets(st.sampled_from([*INPUT_POOLS, *OUTPUT_POOLS]), min_size=1))
    same = st.fixed_dictionaries(dict.fromkeys(sorted(meters), PRICE))
    tiers = tuple(Tier(above, draw(same)) for above in sorted(draw(ABOVE)))
    return ModelPrices(model="a/b", effective_from=JAN, prices=draw(same), tiers=tiers)


def splits(pools: tuple[Meter, ...]) -> st.SearchStrategy[dict[Meter, int]]:
    return st.fixed_dictionaries(dict.fromkeys(pools, QUANTITY))


@given(
    tiered(),
    splits(INPUT_POOLS),
    splits(OUTPUT_POOLS),
    st.integers(0, 3) | st.integers(0, 2_000_000),
    st.integers(0, 50_000),
)
def test_no_call_within_the_bounds_is_charged_more_than_was_held(
    prices: ModelPrices,
    read: dict[Meter, int],
    written: dict[Meter, int],
    slack: int,
    markup: int,
) -> None:
    bounds = {
        Meter.REQUESTS: 1,
        READ: sum(read.values()) + slack,
        WRITTEN: sum(written.values()) + slack,
    }
    held = prices.worst_case(bounds, markup_bps=markup)
    assert charged(prices, {Meter.REQUESTS: 1, **read, **written}, markup_bps=markup) <= held


WRONG: list[tuple[tuple[Tier, ...], str]] = [
    ((Tier(0, LONG.prices),), "larger number"),
    ((Tier(-5, LONG.prices),), "larger number"),
    ((Tier(True, LONG.prices),), "larger number"),
    ((LONGEST, LONG), "larger number"),
    ((LONG, LONG), "larger number"),
    ((Tier(10, {READ: usd("1")}),), "must price input_tokens, output_tokens, no more and no less"),
    ((Tier(10, {**LONG.prices, Meter.REASONING_TOKENS: usd("1")}),), "no more and no less"),
    ((Tier(10, {READ: usd("1"), WRITTEN: Price(Money.of(1, "EUR"), 1)}),), "one currency"),
]


@pytest.mark.parametrize(("tiers", "fault"), WRONG, ids=lambda value: repr(value)[:50])
def test_tiers_rise_and_price_what_the_entry_prices(tiers: tuple[Tier, ...], fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        priced(*tiers)
