"""Prices are exact, rounded up once, dated, and never free by accident."""

from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.errors import ConfigurationError, InvalidRequest, Unsupported
from tollkeeper.domain.meters import INPUT_POOLS, OUTPUT_POOLS, Meter
from tollkeeper.domain.money import Money
from tollkeeper.domain.price_book import PriceBook
from tollkeeper.domain.prices import ModelPrices, Price

JAN = datetime(2026, 1, 1, tzinfo=UTC)
FEB = datetime(2026, 2, 1, tzinfo=UTC)
MAR = datetime(2026, 3, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)

NANOS = st.integers(0, 10**12)
PERS = st.sampled_from([1, 3, 7, 1000, 60_000, 1_000_000])
PRICES = st.builds(lambda nanos, per: Price(Money(nanos, "USD"), per), NANOS, PERS)
QUANTITIES = st.integers(0, 10_000_000)
MARKUPS = st.integers(0, 50_000)


def usd(amount: str, per: int = 1_000_000) -> Price:
    return Price(Money.of(amount, "USD"), per)


def listed(
    model: str = "openai/gpt-4o",
    since: datetime = JAN,
    until: datetime | None = None,
    **prices: Price,
) -> ModelPrices:
    by_meter = {Meter(name): price for name, price in prices.items()}
    return ModelPrices(
        model=model,
        effective_from=since,
        effective_to=until,
        prices=by_meter or {Meter.INPUT_TOKENS: usd("2.50"), Meter.OUTPUT_TOKENS: usd("10")},
    )


@given(PRICES, QUANTITIES, MARKUPS)
def test_a_charge_is_the_exact_price_rounded_up_to_a_nano(
    price: Price, quantity: int, markup: int
) -> None:
    exact = Fraction(price.amount.nanos * quantity, price.per) * Fraction(10_000 + markup, 10_000)
    charged = price.of(quantity, markup_bps=markup)
    assert 0 <= charged.nanos - exact < 1
    if price.is_whole(markup_bps=markup):
        assert charged.nanos == exact


@given(PRICES, QUANTITIES, QUANTITIES, MARKUPS)
def test_charges_grow_with_the_quantity_and_add_up_to_one_nano(
    price: Price, a: int, b: int, markup: int
) -> None:
    def of(quantity: int) -> int:
        return price.of(quantity, markup_bps=markup).nanos

    assert of(max(a, b)) >= of(min(a, b))
    assert of(a + b) <= of(a) + of(b) <= of(a + b) + 1
    assert of(0) == 0


@given(PRICES, QUANTITIES, MARKUPS, MARKUPS)
def test_a_markup_never_charges_less_than_the_cost(
    price: Price, quantity: int, markup: int, more: int
) -> None:
    cost, charge = price.of(quantity), price.of(quantity, markup_bps=markup)
    assert cost <= charge <= price.of(quantity, markup_bps=markup + more)


@pytest.mark.parametrize(
    ("quantity", "markup"), [(-1, 0), (1, -1), (1.0, 0), (1, 0.5), (True, 0), ("1", 0), (None, 0)]
)
def test_quantities_and_markups_are_whole_and_not_negative(quantity: int, markup: int) -> None:
    with pytest.raises(InvalidRequest):
        usd("1").of(quantity, markup_bps=markup)


@pytest.mark.parametrize("per", [0, -1, 1.0, "1", None, True], ids=repr)
def test_a_price_is_per_one_unit_or_more(per: int) -> None:
    with pytest.raises(InvalidRequest):
        Price(Money.of(1, "USD"), per)


def test_a_price_is_not_negative() -> None:
    with pytest.raises(InvalidRequest):
        Price(Money.of(-1, "USD"), 1)


def test_a_charge_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        usd("1000", per=1).of(2**60)


@pytest.mark.parametrize("pool", [*INPUT_POOLS, *OUTPUT_POOLS])
def test_a_pool_without_a_price_costs_what_its_family_does(pool: Meter) -> None:
    prices = listed()
    family = Meter.INPUT_TOKENS if pool in INPUT_POOLS else Meter.OUTPUT_TOKENS
    assert prices.price_of(pool) == prices.prices[family]


def test_a_price_of_its_own_comes_before_the_stand_in() -> None:
    prices = listed(input_tokens=usd("2"), cached_input_tokens=usd("1"))
    assert prices.price_of(Meter.CACHED_INPUT_TOKENS) == usd("1")
    assert prices.price_of(Meter.CACHE_WRITE_TOKENS) == usd("2")
    assert prices.price_of(Meter.AUDIO_MILLISECONDS) is None


def test_an_hour_in_the_cache_costs_what_writing_does_unless_it_has_its_own_price() -> None:
    prices = listed(input_tokens=usd("2"), cache_write_tokens=usd("2.5"))
    assert prices.price_of(Meter.CACHE_WRITE_1H_TOKENS) == usd("2.5")
    own = listed(input_tokens=usd("2"), cache_write_1h_tokens=usd("4"))
    assert own.price_of(Meter.CACHE_WRITE_1H_TOKENS) == usd("4")
    assert own.price_of(Meter.CACHE_WRITE_TOKENS) == usd("2")


def test_a_pool_that_is_priced_at_zero_is_free_on_purpose() -> None:
    prices = listed(input_tokens=usd("2"), cached_input_tokens=usd("0"))
    assert prices.price_of(Meter.CACHED_INPUT_TOKENS) == usd("0")


def splits(pools: tuple[Meter, ...]) -> st.SearchStrategy[dict[Meter, int]]:
    # Small quantities too: there the rounding of each pool weighs most.
    quantity = st.integers(0, 5) | st.integers(0, 1_000_000)
    return st.fixed_dictionaries(dict.fromkeys(pools, quantity))


OWN_PRICES = st.dictionaries(st.sampled_from([*INPUT_POOLS, *OUTPUT_POOLS]), PRICES, min_size=1)


@given(OWN_PRICES, splits(INPUT_POOLS), splits(OUTPUT_POOLS), st.integers(0, 3), MARKUPS)
def test_the_worst_case_covers_every_split_of_the_pools_within_its_bounds(
    own: dict[Meter, Price], read: dict[Meter, int], written: dict[Meter, int], slack: int, bps: int
) -> None:
    prices = ModelPrices(model="a/b", effective_from=JAN, prices=own)
    bounds = {
        Meter.REQUESTS: 1,
        Meter.INPUT_TOKENS: sum(read.values()) + slack,
        Meter.OUTPUT_TOKENS: sum(written.values()) + slack,
    }
    used = {Meter.REQUESTS: 1, **read, **written}
    actual = sum(
        price.of(quantity, markup_bps=bps).nanos
        for meter, quantity in used.items()
        if (price := prices.price_of(meter)) is not None
    )
    assert prices.worst_case(bounds, markup_bps=bps).nanos >= actual


def test_the_worst_case_is_exact_where_every_price_is_whole() -> None:
    # A hold of exactly what fifty calls cost must admit fifty calls.
    bounds = {Meter.INPUT_TOKENS: 1000, Meter.OUTPUT_TOKENS: 100}
    assert listed().worst_case(bounds) == Money.of("0.0035", "USD")


def test_the_worst_case_takes_the_dearest_pool() -> None:
    prices = listed(input_tokens=usd("2"), input_audio_tokens=usd("40"), requests=usd("0.01", 1))
    assert prices.worst_case({Meter.INPUT_TOKENS: 10, Meter.REQUESTS: 1}) == Money.of(
        "0.0104", "USD"
    )
    assert prices.worst_case({}) == Money.zero("USD")


def test_prices_hold_from_their_first_moment_until_before_their_last() -> None:
    prices = listed(since=JAN, until=FEB)
    assert not prices.covers(JAN - TICK)
    assert prices.covers(JAN)
    assert prices.covers(FEB - TICK)
    assert not prices.covers(FEB)
    assert listed(since=JAN).covers(datetime.max.replace(tzinfo=UTC))


def test_a_book_finds_the_prices_of_the_moment() -> None:
    old, new = listed(since=JAN, until=FEB), listed(since=FEB)
    for entries in ((old, new), (new, old)):
        book = PriceBook("1", entries)
        assert book.prices_of("openai/gpt-4o", at=FEB - TICK) is old
        assert book.prices_of("openai/gpt-4o", at=FEB) is new
        with pytest.raises(Unsupported):
            book.prices_of("openai/gpt-4o", at=JAN - TICK)


@pytest.mark.parametrize(
    "entries",
    [
        (listed(since=JAN), listed(since=FEB)),
        (listed(since=JAN, until=MAR), listed(since=FEB, until=MAR + TICK)),
        (listed(since=JAN, until=FEB), listed(since=JAN, until=FEB)),
        (listed(since=JAN), listed(since=FEB, until=MAR)),
        (listed(since=JAN, until=FEB + TICK), listed(since=FEB)),
    ],
)
def test_entries_of_one_model_that_overlap_are_refused(entries: tuple[ModelPrices, ...]) -> None:
    for given_order in (entries, entries[::-1]):
        with pytest.raises(ConfigurationError, match="overlap"):
            PriceBook("1", given_order)


def test_a_provider_entry_stands_for_models_without_one() -> None:
    own, rest = listed("openai/gpt-4o", until=FEB), listed("openai/*")
    book = PriceBook("1", (own, rest))
    assert book.prices_of("openai/gpt-4o", at=JAN) is own
    assert book.prices_of("openai/gpt-9", at=JAN) is rest
    with pytest.raises(Unsupported):
        # It had a price once: the provider's common one is not taken for it in silence.
        book.prices_of("openai/gpt-4o", at=FEB)
    with pytest.raises(Unsupported):
        book.prices_of("other/gpt-9", at=JAN)


def test_a_model_without_a_price_is_refused_by_name() -> None:
    with pytest.raises(Unsupported, match="openai/unheard-of") as refused:
        PriceBook("1", ()).prices_of("openai/unheard-of", at=JAN)
    assert refused.value.code == "model_unpriced"


def test_the_default_price_is_flagged_whoever_made_it() -> None:
    book = PriceBook("1", (listed(),), default=listed("default"))
    found = book.prices_of("openai/unheard-of", at=JAN)
    assert found.flagged
    assert found.prices == listed().prices
    assert not book.prices_of("openai/gpt-4o", at=JAN).flagged


def test_an_extension_replaces_models_whole_and_leaves_the_book_as_it_was() -> None:
    book = PriceBook("1", (listed("a/x", JAN, FEB), listed("a/x", FEB), listed("a/y")))
    own = listed("a/x", MAR, input_tokens=usd("7"))
    longer = book.extended_by([own], version="2")
    assert longer.prices_of("a/x", at=MAR) is own
    assert longer.prices_of("a/y", at=JAN).model == "a/y"
    with pytest.raises(Unsupported):
        longer.prices_of("a/x", at=JAN)
    assert (book.version, len(book.entries)) == ("1", 3)
    assert longer.version == "2"


def test_prices_are_named_by_model_and_moment() -> None:
    assert listed(since=JAN).id == "openai/gpt-4o@2026-01-01"
    morning, evening = JAN + timedelta(hours=8), JAN + timedelta(hours=20)
    ids = {listed(since=JAN).id, listed(since=morning).id, listed(since=evening).id}
    assert len(ids) == 3


def test_prices_need_one_currency_and_at_least_one_price() -> None:
    euro = Price(Money.of(1, "EUR"), 1)
    with pytest.raises(ConfigurationError):
        listed(input_tokens=usd("1"), output_tokens=euro)
    with pytest.raises(ConfigurationError):
        ModelPrices(model="a/b", effective_from=JAN, prices={})


def test_prices_end_after_they_begin_and_know_their_time_zone() -> None:
    with pytest.raises(ConfigurationError):
        listed(since=FEB, until=FEB)
    with pytest.raises(ConfigurationError, match="time zone"):
        listed(since=JAN.replace(tzinfo=None))
    with pytest.raises(ConfigurationError, match="time zone"):
        listed(until=FEB.replace(tzinfo=None))
    elsewhere = timezone(timedelta(hours=9))
    assert listed(since=JAN.astimezone(elsewhere)).covers(JAN)


def test_a_pool_that_a_call_cannot_use_is_not_held_for() -> None:
    prices = ModelPrices(
        model="anthropic/m",
        effective_from=datetime(2026, 1, 1, tzinfo=UTC),
        prices={
            Meter.INPUT_TOKENS: Price(Money.of("1", "USD"), 1),
            Meter.CACHE_WRITE_TOKENS: Price(Money.of("2", "USD"), 1),
        },
    )
    bounds = {Meter.INPUT_TOKENS: 10}
    assert prices.worst_case(bounds) == Money.of("20", "USD")
    never = frozenset({Meter.CACHE_WRITE_TOKENS, Meter.CACHE_WRITE_1H_TOKENS})
    assert prices.worst_case(bounds, never=never) == Money.of("10", "USD")
    only_short = frozenset({Meter.CACHE_WRITE_1H_TOKENS})
    assert prices.worst_case(bounds, never=only_short) == Money.of("20", "USD")
