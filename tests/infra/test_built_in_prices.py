"""The prices that ship: whole, dated, one file for each provider."""

import tomllib
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tollkeeper import infra
from tollkeeper.domain.errors import Unsupported
from tollkeeper.domain.meters import OUTPUT_POOLS, Meter
from tollkeeper.domain.money import Money
from tollkeeper.domain.prices import ModelPrices
from tollkeeper.infra.price_book import load_price_book

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BUILT_IN = load_price_book(None).entries


PROVIDERS = ("openai", "anthropic", "groq", "openrouter", "xai", "morph", "gemini")
EMBEDS = ("text-embedding", "gemini-embedding")


@pytest.mark.parametrize("entry", BUILT_IN, ids=lambda entry: entry.id)
def test_every_built_in_price_says_where_it_comes_from_and_is_whole(entry: ModelPrices) -> None:
    assert len(entry.source) > 10
    assert entry.currency == "USD"
    assert not entry.flagged
    if entry.model == "pocketsphinx/*":
        assert entry.prices.keys() == {Meter.AUDIO_MILLISECONDS}
        return
    prices = [entry.prices, *(tier.prices for tier in entry.tiers)]
    assert all(price.per == 1_000_000 for each in prices for price in each.values())
    for each in prices:
        read = each[Meter.INPUT_TOKENS].amount
        assert read > Money.zero("USD")
        if any(name in entry.model for name in EMBEDS):
            assert not each.keys() & set(OUTPUT_POOLS)
            continue
        assert read < each[Meter.OUTPUT_TOKENS].amount
        if Meter.CACHED_INPUT_TOKENS in each:
            assert each[Meter.CACHED_INPUT_TOKENS].amount <= read
        if Meter.CACHE_WRITE_1H_TOKENS in each:
            assert each[Meter.CACHE_WRITE_1H_TOKENS].amount == read + read
    for lower, higher in pairwise(prices):
        assert all(higher[meter].amount > price.amount for meter, price in lower.items())


def test_prices_hold_now_and_changes_that_are_known_follow_without_a_gap() -> None:
    by_model: dict[str, list[ModelPrices]] = {}
    for entry in BUILT_IN:
        by_model.setdefault(entry.model, []).append(entry)
    for entries in by_model.values():
        entries.sort(key=lambda entry: entry.effective_from)
        assert entries[0].covers(NOW)
        assert entries[-1].effective_to is None
        assert all(one.effective_to == next_.effective_from for one, next_ in pairwise(entries))
    argon = by_model["gemini/gemini-4-argon"]
    assert [entry.prices[Meter.INPUT_TOKENS].amount.amount for entry in argon] == ["2.00", "4.00"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_has_a_file_of_its_own_and_they_are_one_version(provider: str) -> None:
    folder = Path(infra.__file__).parent / "prices"
    built_in = tomllib.loads((folder / "built_in.toml").read_text("utf-8"))
    data = tomllib.loads((folder / f"{provider}.toml").read_text("utf-8"))
    assert data["version"] == built_in["version"] == load_price_book(None).version
    models = {table["model"] for table in data["prices"]}
    assert all(model.startswith(f"{provider}/") for model in models)
    assert len(models) >= (15 if provider == "openrouter" else 4)


TIERED = [
    ("openai/gpt-5.4", 272_000, "2.50", "5.00"),
    ("openai/gpt-6.1-sol", 272_000, "2.00", "4.00"),
    ("anthropic/claude-sonnet-4-5", 200_000, "3.00", "6.00"),
    ("anthropic/claude-haiku-5-5", 100_000, "0.10", "0.50"),
    ("gemini/gemini-2.5-pro", 200_000, "1.25", "2.50"),
    ("xai/grok-4.7", 199_999, "2.00", "4.00"),
    ("openrouter/google/gemini-2.5-pro", 200_000, "1.25", "2.50"),
]


@pytest.mark.parametrize(("model", "above", "short", "long"), TIERED)
def test_long_calls_have_their_prices(model: str, above: int, short: str, long: str) -> None:
    prices = load_price_book(None).prices_of(model, at=NOW)
    assert [tier.above for tier in prices.tiers] == [above]
    found = [
        prices.for_input(size).prices[Meter.INPUT_TOKENS].amount.amount
        for size in (1, above, above + 1, 10**9)
    ]
    assert found == [short, short, long, long]


def test_an_hour_in_the_cache_is_dearer_than_five_minutes() -> None:
    prices = load_price_book(None).prices_of("anthropic/claude-opus-5", at=NOW).prices
    written = (prices[Meter.CACHE_WRITE_TOKENS], prices[Meter.CACHE_WRITE_1H_TOKENS])
    assert [price.amount.amount for price in written] == ["6.25", "10.00"]


@pytest.mark.parametrize(
    ("model", "read"),
    [
        ("openai/text-embedding-3-small", "0.02"),
        ("openai/text-embedding-3-large", "0.13"),
        ("gemini/gemini-embedding-001", "0.15"),
    ],
)
def test_embeddings_are_priced_by_what_they_read_alone(model: str, read: str) -> None:
    prices = load_price_book(None).prices_of(model, at=NOW)
    assert {m: p.amount.amount for m, p in prices.prices.items()} == {Meter.INPUT_TOKENS: read}
    prices.require(Meter.INPUT_TOKENS)
    with pytest.raises(Unsupported):
        prices.require(Meter.OUTPUT_TOKENS)


@pytest.mark.parametrize(
    ("model", "read", "cached", "written"),
    [
        ("gpt-4o", "2.50", "1.25", "10.00"),
        ("gpt-4o-mini", "0.15", "0.075", "0.60"),
        ("gpt-4.1", "2.00", "0.50", "8.00"),
        ("gpt-4.1-mini", "0.40", "0.10", "1.60"),
        ("gpt-4.1-nano", "0.10", "0.025", "0.40"),
        ("gpt-5", "1.25", "0.125", "10.00"),
        ("gpt-5-mini", "0.25", "0.025", "2.00"),
        ("gpt-5-nano", "0.05", "0.005", "0.40"),
        ("o3", "2.00", "0.50", "8.00"),
        ("o4-mini", "1.10", "0.275", "4.40"),
    ],
)
def test_the_main_models_have_their_prices(
    model: str, read: str, cached: str, written: str
) -> None:
    prices = load_price_book(None).prices_of(f"openai/{model}", at=NOW)
    assert {meter: price.amount.amount for meter, price in prices.prices.items()} == {
        Meter.INPUT_TOKENS: read,
        Meter.CACHED_INPUT_TOKENS: cached,
        Meter.OUTPUT_TOKENS: written,
    }


def test_audio_has_prices_of_its_own() -> None:
    prices = load_price_book(None).prices_of("openai/gpt-audio", at=NOW)
    heard, said = prices.prices[Meter.INPUT_AUDIO_TOKENS], prices.prices[Meter.OUTPUT_AUDIO_TOKENS]
    assert (heard.amount.amount, said.amount.amount) == ("32.00", "64.00")
