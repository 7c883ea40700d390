"""Usage events are priced one by one; reports add them up."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.domain.errors import InvalidRequest
from tollkeeper.domain.ledger import Balance
from tollkeeper.domain.meters import Meter, Provenance
from tollkeeper.domain.money import Money
from tollkeeper.domain.prices import ModelPrices, Price
from tollkeeper.domain.usage import (
    UsageEvent,
    UsageReport,
    UsageTotal,
    rate_usage,
    total_charge,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PRICES = ModelPrices(
    model="openai/gpt-4o",
    effective_from=datetime(2026, 1, 1, tzinfo=UTC),
    prices={
        Meter.INPUT_TOKENS: Price(Money.of("2.50", "USD"), 1_000_000),
        Meter.CACHED_INPUT_TOKENS: Price(Money.of("1.25", "USD"), 1_000_000),
        Meter.OUTPUT_TOKENS: Price(Money.of("10", "USD"), 3_000_000),
    },
)


def rated(
    quantities: dict[Meter, int], *, prices: ModelPrices = PRICES, markup_bps: int = 0
) -> tuple[UsageEvent, ...]:
    return rate_usage(
        quantities,
        prices=prices,
        markup_bps=markup_bps,
        call_id="call-1",
        account="acme",
        key_id="key-1",
        operation="chat:complete",
        model="openai/gpt-4o",
        provenance=Provenance.REPORTED,
        at=NOW,
    )


def test_each_meter_that_counted_something_becomes_one_event() -> None:
    events = rated({Meter.REQUESTS: 1, Meter.INPUT_TOKENS: 1000, Meter.OUTPUT_TOKENS: 0})
    assert [(e.id, e.meter, e.quantity) for e in events] == [
        ("call-1:requests", Meter.REQUESTS, 1),
        ("call-1:input_tokens", Meter.INPUT_TOKENS, 1000),
    ]
    request, read = events
    assert request.charge == request.cost == Money.zero("USD")
    assert read.charge == read.cost == Money.of("0.0025", "USD")
    assert (read.account, read.key_id, read.call_id) == ("acme", "key-1", "call-1")
    assert (read.operation, read.model) == ("chat:complete", "openai/gpt-4o")
    assert (read.provenance, read.occurred_at) == (Provenance.REPORTED, NOW)
    assert read.price_id == "openai/gpt-4o@2026-01-01"


def test_nothing_used_is_nothing_to_pay() -> None:
    assert rated(dict.fromkeys(Meter, 0)) == ()
    assert rated({}) == ()
    assert total_charge((), currency="USD") == Money.zero("USD")


def test_the_markup_is_in_the_charge_and_not_in_the_cost() -> None:
    (event,) = rated({Meter.INPUT_TOKENS: 1000}, markup_bps=2000)
    assert event.cost == Money.of("0.0025", "USD")
    assert event.charge == Money.of("0.003", "USD")


def test_a_default_price_is_marked_on_the_event() -> None:
    (event,) = rated({Meter.INPUT_TOKENS: 1}, prices=evolve(PRICES, flagged=True))
    assert event.price_id == "openai/gpt-4o@2026-01-01!"


QUANTITIES = st.dictionaries(st.sampled_from(Meter), st.integers(0, 10_000_000))


@given(QUANTITIES, st.integers(0, 20_000), st.randoms(use_true_random=False))
def test_the_sum_does_not_depend_on_the_order_of_the_meters(
    quantities: dict[Meter, int], markup: int, random: Random
) -> None:
    shuffled = list(quantities.items())
    random.shuffle(shuffled)
    one, other = rated(quantities, markup_bps=markup), rated(dict(shuffled), markup_bps=markup)
    assert sorted(one, key=lambda e: e.id) == sorted(other, key=lambda e: e.id)
    total = total_charge(one, currency="USD")
    assert total == total_charge(other, currency="USD")
    assert total >= total_charge(rated(quantities), currency="USD")
    assert total.nanos == sum(event.charge.nanos for event in one)


@given(QUANTITIES)
def test_no_token_is_free_by_accident(quantities: dict[Meter, int]) -> None:
    priced_otherwise = {Meter.REQUESTS, Meter.AUDIO_MILLISECONDS, Meter.CACHED_ANSWERS}
    for event in rated(quantities):
        assert event.charge or event.meter in priced_otherwise


def test_charges_of_two_currencies_do_not_add_up() -> None:
    (event,) = rated({Meter.INPUT_TOKENS: 1})
    with pytest.raises(InvalidRequest):
        total_charge([event], currency="EUR")


@pytest.mark.parametrize("quantity", [-1, 1.0, "1", None, True, 2**63], ids=repr)
def test_a_quantity_is_whole_and_fits_64_bits(quantity: int) -> None:
    (event,) = rated({Meter.INPUT_TOKENS: 1})
    with pytest.raises(InvalidRequest):
        evolve(event, quantity=quantity)


def test_a_negative_quantity_is_never_rated() -> None:
    with pytest.raises(InvalidRequest):
        rated({Meter.INPUT_TOKENS: -5})


def test_the_same_measurement_may_come_at_another_time() -> None:
    (event,) = rated({Meter.INPUT_TOKENS: 7})
    assert event.same_measurement(evolve(event, occurred_at=NOW + timedelta(days=1)))
    changes: list[dict[str, Any]] = [
        {"id": "other"},
        {"account": "other"},
        {"meter": Meter.OUTPUT_TOKENS},
        {"quantity": 8},
        {"charge": Money.of(1, "USD")},
        {"model": "openai/other"},
    ]
    for change in changes:
        assert not event.same_measurement(evolve(event, **change))


def line(charge: str, currency: str = "USD", quantity: int = 1234567) -> UsageTotal:
    return UsageTotal(
        operation="chat:complete",
        model="openai/gpt-4o",
        meter=Meter.INPUT_TOKENS,
        events=3,
        quantity=quantity,
        estimated=0,
        charge=Money.of(charge, currency),
    )


def test_a_report_sums_up_by_currency() -> None:
    report = UsageReport("acme", None, None, (line("1"), line("2", "EUR"), line("0.5")), ())
    assert report.charges == (Money.of("2", "EUR"), Money.of("1.5", "USD"))


def test_a_report_reads_as_a_table() -> None:
    balance = Balance("acme", posted=Money.of("5", "USD"), held=Money.of("1", "USD"))
    text = str(UsageReport("acme", None, None, (line("0.003"),), (balance,)))
    assert text == (
        "usage of acme\n"
        "operation      model          meter          quantity     charge\n"
        "chat:complete  openai/gpt-4o  input_tokens  1,234,567  0.003 USD\n"
        "charged 0.003 USD; 4.00 USD available, 1.00 USD held"
    )


def test_an_empty_report_says_so() -> None:
    assert str(UsageReport("acme", None, None, (), ())).splitlines() == [
        "usage of acme",
        "operation  model  meter  quantity  charge",
        "charged nothing; no balance",
    ]
