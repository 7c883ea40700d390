"""The models: what each can do, what it costs, and whether a provider serves it here."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from attrs import frozen

from tollkeeper.domain.catalogue import Capability, Catalogue, ModelCard
from tollkeeper.domain.errors import InvalidRequest, Unsupported
from tollkeeper.domain.meters import Meter
from tollkeeper.domain.money import Money
from tollkeeper.domain.price_book import PriceBook
from tollkeeper.domain.prices import ModelPrices, Price
from tollkeeper.infra.cli.documents import of_money
from tollkeeper.infra.cli.output import (
    Document,
    aligned,
    left,
    print_json,
    print_table,
    right,
    say,
    whole,
)
from tollkeeper.infra.cli.session import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tollkeeper.infra.settings import Settings

_MILLION = 1_000_000
_UNSAID = (Capability.STREAMING,)
"""What all chat models can do is not worth a place in each row."""


@frozen
class _Model:
    """A model as it stands in these settings; *prices* are None if the book has none."""

    card: ModelCard
    prices: ModelPrices | None
    configured: bool

    @property
    def served(self) -> str:
        """Whether it can be called here, or why not."""
        if not self.card.enabled:
            return "off"
        if not self.configured:
            return "no provider"
        return "yes" if self.prices is not None else "no price"

    def per_million(self, meter: Meter) -> Money | None:
        """What a million of *meter* costs; None where calls are not priced by it."""
        price = None if self.prices is None else self.prices.price_of(meter)
        return None if price is None else price.of(_MILLION)


def _prices_of(card: ModelCard, book: PriceBook, at: datetime) -> ModelPrices | None:
    try:
        return book.prices_of(card.price_name, at=at)
    except Unsupported:
        return None


def _models(
    settings: "Settings", catalogue: Catalogue, book: PriceBook, *, at: datetime
) -> list[_Model]:
    found = []
    for card in sorted(catalogue.cards, key=lambda card: card.id):
        embeds = card.can(Capability.EMBEDDINGS) and card.provider in settings.embedders
        chats = not _only_embeds(card) and card.provider in settings.chat_models
        found.append(_Model(card, _prices_of(card, book, at), embeds or chats))
    return found


def _capability(name: str) -> Capability:
    if name not in tuple(Capability):
        raise InvalidRequest(f"--capability is one of {', '.join(Capability)}")
    return Capability(name)


def _checked_provider(name: str | None, catalogue: Catalogue, settings: "Settings") -> str | None:
    """Return *name*, if it is of a provider that the catalogue or the settings know.

    Raises:
        InvalidRequest: it is not.
    """
    known = {card.provider for card in catalogue.cards}
    known.update(settings.chat_models, settings.embedders)
    if name is not None and name not in known:
        raise InvalidRequest(f"--provider is one of {', '.join(sorted(known))}")
    return name


def _of_price(price: Price) -> Document:
    return {**of_money(price.amount), "per": price.per}


def _of_meters(prices: "Mapping[Meter, Price]") -> Document:
    return {str(meter): _of_price(price) for meter, price in prices.items()}


def _of_prices(prices: ModelPrices) -> Document:
    return {
        "id": prices.id,
        "currency": prices.currency,
        "flagged": prices.flagged,
        "meters": _of_meters(prices.prices),
        "tiers": [
            {"above_input_tokens": tier.above, "meters": _of_meters(tier.prices)}
            for tier in prices.tiers
        ],
        "source": prices.source,
    }


def _of_model(model: _Model) -> Document:
    card, quirks = model.card, model.card.quirks
    return {
        "id": card.id,
        "provider": card.provider,
        "name": card.wire_name,
        "aliases": list(card.aliases),
        "context_window": card.context_window,
        "max_output": card.max_output,
        "capabilities": [str(each) for each in Capability if card.can(each)],
        "enabled": card.enabled,
        "configured": model.configured,
        "plans": list(card.plans),
        "price_name": card.price_name,
        "prices": None if model.prices is None else _of_prices(model.prices),
        "quirks": {
            "unsupported": sorted(quirks.unsupported),
            "fixed": dict(quirks.fixed),
            "efforts": list(quirks.efforts),
            "max_tokens_field": quirks.max_tokens_field,
            # The values may be secret.
            "headers": sorted(quirks.headers),
            "extra": sorted(quirks.extra),
        },
        "cache_minimum": card.cache_minimum if card.can(Capability.PROMPT_CACHE) else None,
        "larger": card.larger or None,
        "unfiltered": card.unfiltered or None,
        "source": card.source,
    }


def _print(found: list[_Model], *, empty: str) -> None:
    columns = [
        *whole("model"),
        *right("context", "most output"),
        *left("can do"),
        *right("input", "output"),
        *left("served"),
    ]
    read = aligned([model.per_million(Meter.INPUT_TOKENS) for model in found])
    written = aligned(
        [
            None if _only_embeds(model.card) else model.per_million(Meter.OUTPUT_TOKENS)
            for model in found
        ]
    )
    rows = [
        (
            model.card.id,
            _tokens(model.card.context_window),
            _tokens(model.card.max_output),
            " ".join(str(c) for c in Capability if model.card.can(c) and c not in _UNSAID),
            f"{_mark(model.prices)}{cost}",
            charge,
            model.served,
        )
        for model, cost, charge in zip(found, read, written, strict=True)
    ]
    print_table("Models, and their prices for a million tokens", columns, rows, empty=empty)
    if any(model.prices is not None and model.prices.tiers for model in found):
        say("≥ calls that read more than so many tokens cost more; --json says how much")
    if any(model.prices is not None and model.prices.flagged for model in found):
        say("! is the default price, for want of one of its own")


def _only_embeds(card: ModelCard) -> bool:
    return card.can(Capability.EMBEDDINGS) and not card.can(Capability.STREAMING)


def _tokens(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _mark(prices: ModelPrices | None) -> str:
    if prices is None:
        return ""
    return "≥ " if prices.tiers else "! " if prices.flagged else ""


def models(
    ctx: typer.Context,
    *,
    provider: Annotated[
        str | None, typer.Option(help="Only this provider's.", show_default="all")
    ] = None,
    capability: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CAPABILITY",
            help="Only those that can do this, such as tools; may be given again.",
            show_default="any",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the models of the catalogue: what they can do and cost, and which are served here."""
    from tollkeeper.infra.catalogue import load_catalogue
    from tollkeeper.infra.price_book import load_price_book

    wanted = [_capability(name) for name in capability or ()]
    settings = load_settings(ctx)
    catalogue = load_catalogue(settings.catalogue)
    provider = _checked_provider(provider, catalogue, settings)
    book = load_price_book(settings.price_book, settings.default_price)
    found = [
        model
        for model in _models(settings, catalogue, book, at=datetime.now(UTC))
        if provider in (None, model.card.provider) and all(map(model.card.can, wanted))
    ]
    if as_json:
        print_json([_of_model(model) for model in found])
        return
    providers = ", ".join(sorted({card.provider for card in catalogue.cards}))
    _print(found, empty=f"no such model is in the catalogue; it has those of {providers}")
