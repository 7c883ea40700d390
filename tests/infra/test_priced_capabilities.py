"""Whatever a built-in model can do has a price, and every price is for something."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest

from tollkeeper.domain.catalogue import Capability, ModelCard
from tollkeeper.domain.meters import INPUT_POOLS, OUTPUT_POOLS, Meter
from tollkeeper.domain.prices import ModelPrices
from tollkeeper.infra.catalogue import load_catalogue
from tollkeeper.infra.price_book import load_price_book

CATALOGUE = load_catalogue(None)
BOOK = load_price_book(None)
ENABLED = [card for card in CATALOGUE.cards if card.enabled]
LATER = datetime(2028, 1, 1, tzinfo=UTC)
OWN_PRICES: Mapping[Capability, tuple[Meter, ...]] = {
    Capability.STREAMING: (Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS),
    Capability.EMBEDDINGS: (Meter.INPUT_TOKENS,),
    # Sound is dear, so the price of text never stands in for it without being said.
    Capability.AUDIO: (Meter.INPUT_AUDIO_TOKENS,),
    Capability.PROMPT_CACHE: (Meter.CACHED_INPUT_TOKENS, Meter.CACHE_WRITE_TOKENS),
}
"""What a model with the capability must price itself. Images and files are read as input tokens,
reasoning is written as output tokens, and so they are named in the prices of these."""
STAND_INS: Mapping[Capability, Meter] = {
    Capability.IMAGES: Meter.INPUT_TOKENS,
    Capability.FILES: Meter.INPUT_TOKENS,
    Capability.REASONING: Meter.REASONING_TOKENS,
}
UNASKED = {
    Meter.CACHED_INPUT_TOKENS: "providers keep prefixes without being asked to",
    Meter.CACHE_WRITE_TOKENS: "OpenAI charges for that from GPT-5.6 on, without a mark",
}
"""Why a chat model may price these without a capability for it."""
NO_CARD = {
    "offline/*": "the names of offline models may carry numbers: offline/slow-200",
    "pocketsphinx/*": "transcribers have no cards",
}


def entries_of(card: ModelCard) -> Iterator[ModelPrices]:
    """All prices that the model has, over time."""
    own = [entry for entry in BOOK.entries if entry.model == card.price_name]
    yield from own or [e for e in BOOK.entries if e.model == f"{card.provider}/*"]


def tables_of(card: ModelCard) -> Iterator[Mapping[Meter, object]]:
    """Give each table of prices, those of long calls too."""
    for entry in entries_of(card):
        yield entry.prices
        yield from (tier.prices for tier in entry.tiers)


@pytest.mark.parametrize("card", ENABLED, ids=lambda card: card.id)
def test_what_a_model_can_do_is_priced(card: ModelCard) -> None:
    assert [entry for entry in entries_of(card) if entry.covers(LATER)], "no price for ever"
    for capability in card.capabilities:
        for prices in tables_of(card):
            assert set(OWN_PRICES.get(capability, ())) <= prices.keys(), capability
        for entry in entries_of(card):
            stands_in = STAND_INS.get(capability)
            assert stands_in is None or entry.price_of(stands_in) is not None, capability


@pytest.mark.parametrize(
    "card", [card for card in ENABLED if card.provider != "offline"], ids=lambda card: card.id
)
def test_what_is_priced_can_be_used(card: ModelCard) -> None:
    used: set[Meter] = set()
    for capability in card.capabilities:
        used |= {*OWN_PRICES.get(capability, ())}
    if card.can(Capability.STREAMING):
        used |= UNASKED.keys()
    if card.can(Capability.PROMPT_CACHE):
        used.add(Meter.CACHE_WRITE_1H_TOKENS)
    if card.can(Capability.REASONING):
        used.add(Meter.REASONING_TOKENS)
    if card.can(Capability.AUDIO):
        used.add(Meter.OUTPUT_AUDIO_TOKENS)
    for prices in tables_of(card):
        assert prices.keys() <= used
        assert prices.keys() <= {*INPUT_POOLS, *OUTPUT_POOLS}


def test_every_price_is_of_a_model_that_is_known() -> None:
    known = {card.price_name for card in CATALOGUE.cards}
    assert {entry.model for entry in BOOK.entries} - known == NO_CARD.keys()


@pytest.mark.parametrize("card", CATALOGUE.cards, ids=lambda card: card.id)
def test_every_name_of_a_model_leads_to_it(card: ModelCard) -> None:
    for name in (card.id, *card.aliases):
        assert CATALOGUE.card(name) is card
    for other in filter(None, (card.larger, card.unfiltered)):
        found = CATALOGUE.card(other)
        assert found is not None
        assert found.enabled


def test_sound_costs_what_the_router_asks_for_it() -> None:
    prices = {
        card.id: [
            str(entry.prices[Meter.INPUT_AUDIO_TOKENS].amount.amount) for entry in entries_of(card)
        ]
        for card in CATALOGUE.of_provider("openrouter")
        if card.can(Capability.AUDIO)
    }
    assert prices == {
        "openrouter/google/gemini-2.5-flash": ["1.00"],
        "openrouter/google/gemini-2.5-flash-lite": ["0.30"],
        "openrouter/google/gemini-2.5-pro": ["1.25"],
        "openrouter/google/gemini-3-flash-preview": ["1.00"],
        "openrouter/google/gemini-3.1-pro-preview": ["2.00"],
        "openrouter/google/gemini-3.8-flash": ["0.75"],
    }
