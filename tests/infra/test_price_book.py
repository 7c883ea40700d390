"""Price books are exact text, and everything wrong in one is listed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tollkeeper.domain.errors import ConfigurationError, InvalidRequest, Unsupported
from tollkeeper.domain.meters import Meter
from tollkeeper.domain.money import Money
from tollkeeper.domain.prices import Price, Tier
from tollkeeper.infra.price_book import load_price_book, parse_price, parse_prices

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
Write = Callable[[str], str]


@pytest.fixture
def book(tmp_path: Path) -> Write:
    """Write a price book and return its path."""

    def write(toml: str) -> str:
        path = tmp_path / "prices.toml"
        path.write_text(toml, "utf-8")
        return str(path)

    return write


def faults(path: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as refused:
        load_price_book(path)
    return refused.value.faults


def test_models_that_the_book_does_not_know_are_refused_or_flagged() -> None:
    with pytest.raises(Unsupported) as refused:
        load_price_book(None).prices_of("openai/unheard-of", at=NOW)
    assert refused.value.code == "model_unpriced"
    default = parse_prices({"requests": "1 per 1"}, model="default", flagged=True)
    found = load_price_book(None, default).prices_of("openai/unheard-of", at=NOW)
    assert (found, found.flagged) == (default, True)


@pytest.mark.parametrize(
    ("text", "nanos", "per"),
    [
        ("0.15 per 1000000", 150_000_000, 1_000_000),
        ("0 per 1", 0, 1),
        ("0.000000001 per 7", 1, 7),
        ("12 per 60000", 12_000_000_000, 60_000),
    ],
)
def test_a_price_is_read_exactly(text: str, nanos: int, per: int) -> None:
    assert parse_price(text, currency="USD") == Price(Money(nanos, "USD"), per)


@pytest.mark.parametrize(
    "text",
    [0.15, 1, None, True, "0.15", "0.15 per", "0.15 per 0", "-1 per 1", "1e-3 per 1", "1 per 1.5",
     "1,5 per 1", "1 per 1 ", " 1 per 1", "1  per 1", "1 per 1_000", "\u0661 per 1", ".5 per 1",
     "0.0000000001 per 1", "99999999999 per 1", ["1 per 1"]],
    ids=repr,
)  # fmt: skip
def test_anything_else_is_no_price(text: object) -> None:
    with pytest.raises((ValueError, InvalidRequest)):
        parse_price(text, currency="USD")


def test_a_book_of_ones_own_replaces_and_adds(book: Write) -> None:
    path = book("""
        version = "mine"
        [[prices]]
        model = "openai/gpt-4o"
        effective_from = 2026-02-01
        source = "our contract"
        input_tokens = "1 per 1000000"
        output_tokens = "2 per 1000000"
        [[prices]]
        model = "house/*"
        requests = "0.01 per 1"
    """)
    loaded = load_price_book(path)
    own = loaded.prices_of("openai/gpt-4o", at=NOW)
    assert (own.source, str(own.prices[Meter.INPUT_TOKENS].amount)) == ("our contract", "1.00 USD")
    assert own.price_of(Meter.CACHED_INPUT_TOKENS) == own.prices[Meter.INPUT_TOKENS]
    assert loaded.prices_of("house/anything", at=NOW).currency == "USD"
    assert loaded.prices_of("openai/gpt-5", at=NOW).source.startswith("genai-prices")
    assert loaded.version == f"{load_price_book(None).version}+mine"
    with pytest.raises(Unsupported):
        loaded.prices_of("openai/gpt-4o", at=datetime(2026, 1, 31, tzinfo=UTC))


def test_tiers_are_read_in_the_currency_of_their_entry(book: Write) -> None:
    path = book("""
        [[prices]]
        model = "a/b"
        currency = "EUR"
        input_tokens = "1 per 1000000"
        [[prices.tiers]]
        above = 100
        input_tokens = "2 per 1000000"
        [[prices.tiers]]
        above = 200
        input_tokens = "3 per 1000000"
    """)
    (entry,) = (entry for entry in load_price_book(path).entries if entry.model == "a/b")
    per_million = [Price(Money.of(amount, "EUR"), 1_000_000) for amount in (2, 3)]
    assert entry.tiers == (
        Tier(100, {Meter.INPUT_TOKENS: per_million[0]}),
        Tier(200, {Meter.INPUT_TOKENS: per_million[1]}),
    )


def test_dates_are_in_utc_unless_they_say_otherwise(book: Write) -> None:
    path = book("""
        [[prices]]
        model = "a/day"
        effective_from = 2026-02-01
        effective_to = 2026-03-01
        requests = "1 per 1"
        [[prices]]
        model = "a/moment"
        effective_from = 2026-02-01T09:30:00
        requests = "1 per 1"
        [[prices]]
        model = "a/zone"
        effective_from = 2026-02-01T00:00:00+09:00
        requests = "1 per 1"
    """)
    entries = {e.model: e for e in load_price_book(path).entries}
    day = entries["a/day"]
    assert day.effective_from == datetime(2026, 2, 1, tzinfo=UTC)
    assert day.effective_to == datetime(2026, 3, 1, tzinfo=UTC)
    assert entries["a/moment"].effective_from == datetime(2026, 2, 1, 9, 30, tzinfo=UTC)
    tokyo = timezone(timedelta(hours=9))
    assert entries["a/zone"].effective_from == datetime(2026, 2, 1, tzinfo=tokyo)


ENTRY = '[[prices]]\nmodel = "a/b"\n'
PRICED, TIER = ENTRY + 'requests = "1 per 1"\n', "[[prices.tiers]]\n"
WRONG: list[tuple[str, str]] = [
    (ENTRY + 'input_tokens = "cheap"', "prices of a/b: a price reads"),
    (ENTRY + "input_tokens = 0.15", "prices of a/b: a price reads"),
    (ENTRY + 'input_token = "1 per 1"', "prices of a/b: no such field or meter: input_token"),
    (ENTRY, "prices of a/b: prices of a/b: one currency, at least one price"),
    (ENTRY + 'currency = "usd"\nrequests = "1 per 1"', "prices of a/b: a currency"),
    (ENTRY + 'effective_from = "2026"\nrequests = "1 per 1"', "prices of a/b: a date reads"),
    (ENTRY + 'effective_from = 09:30:00\nrequests = "1 per 1"', "prices of a/b: a date reads"),
    (ENTRY + 'effective_to = 1999-01-01\nrequests = "1 per 1"', "prices of a/b: effective_to is"),
    ('[[prices]]\nmodel = "b"\nrequests = "1 per 1"', "prices of b: model must read provider/name"),
    ('[[prices]]\nrequests = "1 per 1"', "prices of number 1: model must read provider/name"),
    ('[prices]\nmodel = "a/b"\nrequests = "1 per 1"', "write [[prices]] above each model"),
    ("prices = 5", "write [[prices]] above each model"),
    ('prices = ["a/b"]', "write [[prices]] above each model"),
    ('[[price]]\nmodel = "a/b"', "price is nothing it knows"),
    (f'{ENTRY}requests = "1 per 1"\n{ENTRY}requests = "2 per 1"', "prices of a/b overlap"),
    ("[[prices]", "is no TOML"),
    (PRICED + "tiers = 5", "prices of a/b: write [[prices.tiers]] above each tier"),
    (PRICED + TIER + 'requests = "2 per 1"', "a tier is above a number of input tokens"),
    (PRICED + TIER + "above = 1.5", "a tier is above a number of input tokens"),
    (PRICED + TIER + "above = 5\nsource = 'x'", "no such field or meter: source"),
    (PRICED + TIER + "above = 5", "the tier above 5 must price requests, no more and no less"),
    (PRICED + TIER + 'above = 5\nrequests = "2"', "prices of a/b: a price reads"),
    (PRICED + TIER + 'above = 0\nrequests = "2 per 1"', "above a larger number"),
]  # fmt: skip


@pytest.mark.parametrize(("toml", "fault"), WRONG, ids=lambda value: repr(value)[:40])
def test_what_is_wrong_is_said(book: Write, toml: str, fault: str) -> None:
    (found,) = faults(book(toml))
    assert fault in found


def test_all_faults_are_listed_at_once(book: Write) -> None:
    path = book(
        'prizes = 1\n[[prices]]\nmodel = "a/b"\n[[prices]]\nmodel = "c"\nrequests = "1 per 1"\n'
        '[[prices]]\nmodel = "a/d"\nrequests = 1.5'
    )
    found = faults(path)
    assert len(found) == 4
    assert all(fault.startswith("the price book prices.toml") for fault in found)


def test_a_book_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    for path in (tmp_path / "missing.toml", tmp_path, binary):
        (found,) = faults(str(path))
        assert found.startswith("cannot read the price book")
