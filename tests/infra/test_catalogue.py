"""The catalogue that ships: every model has its price, its facts and quirks that hold."""

import time
from datetime import UTC, datetime

import pytest

from tollkeeper.domain.catalogue import Capability, ModelCard
from tollkeeper.domain.chat import REASONING_EFFORTS, ChatRequest
from tollkeeper.domain.errors import Unsupported
from tollkeeper.domain.messages import user
from tollkeeper.domain.meters import Meter
from tollkeeper.domain.quirks import PARAMETERS, adapt
from tollkeeper.infra.catalogue import load_catalogue
from tollkeeper.infra.price_book import load_price_book

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CATALOGUE = load_catalogue(None)
BOOK = load_price_book(None)
PROVIDERS = ("openai", "anthropic", "groq", "openrouter", "xai", "morph", "gemini")


def card(name: str) -> ModelCard:
    found = CATALOGUE.card(name)
    assert found is not None
    return found


@pytest.mark.parametrize("model", CATALOGUE.cards, ids=lambda model: model.id)
def test_every_built_in_model_has_a_price_a_source_and_facts(model: ModelCard) -> None:
    prices = BOOK.prices_of(model.price_name, at=NOW)
    assert len(model.source) > 10
    embeds = model.can(Capability.EMBEDDINGS)
    if embeds and not model.can(Capability.STREAMING):
        prices.require(Meter.INPUT_TOKENS)
        assert model.capabilities == {Capability.EMBEDDINGS}
    else:
        prices.require(Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS)
        assert model.can(Capability.STREAMING)
    if model.provider != "offline":
        assert model.context_window is not None
        assert model.max_output is None or model.max_output <= model.context_window
    assert model.quirks.unsupported <= PARAMETERS
    assert model.quirks.fixed.keys() <= PARAMETERS - model.quirks.unsupported
    assert set(model.quirks.efforts) <= set(REASONING_EFFORTS)
    if not model.can(Capability.REASONING) and not embeds and model.provider != "offline":
        assert {"reasoning_effort", "reasoning_budget"} <= model.quirks.unsupported
    larger = CATALOGUE.card(model.larger)
    assert not model.larger or (larger is not None and larger.provider == model.provider)
    if larger is not None and larger.context_window and model.context_window:
        assert larger.context_window > model.context_window


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_priced_model_of_a_provider_is_in_the_catalogue(provider: str) -> None:
    priced = {entry.model for entry in BOOK.entries if entry.model.startswith(f"{provider}/")}
    assert priced == {model.id for model in CATALOGUE.of_provider(provider)}
    assert priced


def test_the_offline_models_can_do_what_a_test_needs() -> None:
    echo = card("offline/echo")
    echo.require(
        Capability.TOOLS,
        Capability.PARALLEL_TOOLS,
        Capability.IMAGES,
        Capability.JSON,
        Capability.JSON_SCHEMA,
        Capability.STREAMING,
    )
    card("offline/hash").require(Capability.EMBEDDINGS)


@pytest.mark.parametrize(
    ("model", "efforts"),
    [
        ("openai/o3", "low medium high"),
        ("openai/gpt-5", "minimal low medium high"),
        ("openai/gpt-5.1", "none low medium high"),
        ("openai/gpt-5.2", "none low medium high xhigh"),
        ("openai/gpt-6.1-sol", "low medium high xhigh"),
        ("anthropic/claude-haiku-4-5", "none"),
        ("anthropic/claude-opus-5", "none low medium high xhigh max"),
        ("anthropic/claude-fable-5-1", "low medium high xhigh max"),
        ("xai/grok-4.3", "none low medium high"),
        ("gemini/gemini-2.5-pro", "minimal low medium high"),
        ("groq/openai/gpt-oss-120b", "low medium high"),
    ],
)
def test_models_take_their_efforts(model: str, efforts: str) -> None:
    assert card(model).quirks.efforts == tuple(efforts.split())


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("openai/gpt-5", {"temperature": 0.2}),
        ("openai/gpt-5", {"stop": ["END"]}),
        ("openai/o3", {"parallel_tool_calls": True}),
        ("openai/gpt-4o", {"reasoning_effort": "low"}),
        ("anthropic/claude-opus-4-7", {"top_p": 0.5}),
        ("anthropic/claude-opus-4-7", {"reasoning_budget": 20}),
        ("xai/grok-4.7", {"presence_penalty": 1}),
        ("xai/grok-4.20", {"reasoning_effort": "low"}),
        ("morph/morph-v3-fast", {"temperature": 0.2}),
        ("openrouter/openai/gpt-5", {"temperature": 0.2}),
    ],
)
def test_what_a_model_does_not_take_is_refused(model: str, asked: dict[str, object]) -> None:
    fields: dict[str, object] = {"model": "m", "messages": [user("Hi")], "max_tokens": 100, **asked}
    with pytest.raises(Unsupported):
        adapt(ChatRequest(quirks=card(model).quirks, **fields))  # type: ignore[arg-type]


def test_reasoning_that_is_off_by_default_leaves_the_temperature() -> None:
    for model in ("openai/gpt-5.1", "openai/gpt-5.4", "openai/gpt-4o", "gemini/gemini-2.5-pro"):
        request = ChatRequest("m", [user("Hi")], 100, temperature=0.2, quirks=card(model).quirks)
        assert adapt(request) == (request, ())


def test_the_prompt_cache_is_marked_where_marks_are_taken() -> None:
    marked = {m.id for m in CATALOGUE.cards if m.can(Capability.PROMPT_CACHE)}
    assert marked == {
        model.id
        for model in CATALOGUE.cards
        if model.id.startswith(("anthropic/", "openrouter/anthropic/", "openrouter/google/"))
    }
    assert card("anthropic/claude-opus-4-5").cache_minimum == 4096
    assert card("anthropic/claude-opus-4-7").cache_minimum == 2048
    assert card("anthropic/claude-sonnet-4-6").cache_minimum == 1024


def test_a_snapshot_is_its_model_under_a_name_and_price_of_its_own() -> None:
    snapshot, model = card("openai/gpt-4o-2024-08-06"), card("openai/gpt-4o")
    assert snapshot.wire_name == "gpt-4o-2024-08-06"
    assert snapshot.price_name == snapshot.id
    assert (snapshot.capabilities, snapshot.quirks) == (model.capabilities, model.quirks)
    haiku = "anthropic/claude-haiku-4-5"
    assert CATALOGUE.card("anthropic/claude-haiku-4.5") is card(haiku)
    assert card(f"{haiku}-20251001").aliases == ()


def test_loading_costs_little() -> None:
    began = time.process_time()
    load_catalogue(None)
    print(f"the catalogue: {(time.process_time() - began) * 1000:.0f} ms of CPU")
