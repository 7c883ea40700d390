"""Checking what the settings say of calls: the catalogue, pools of keys, and fallbacks."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tollkeeper.domain.catalogue import Catalogue
from tollkeeper.domain.errors import ConfigurationError, NotFound, Unsupported
from tollkeeper.domain.price_book import PriceBook
from tollkeeper.ports.secret_source import SecretSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tollkeeper.application.key_pools import PoolKey
    from tollkeeper.infra.settings import Settings

_PATTERN = frozenset("*?[")


def say_catalogue(catalogue: Catalogue) -> str:
    """Say how much the catalogue knows."""
    providers = {card.provider for card in catalogue.cards}
    return f"{len(catalogue.cards)} models of {len(providers)} providers"


def say_keys(keys: "Sequence[PoolKey]") -> str:
    """Name the keys of a pool by their labels, each with its share of the calls."""
    total = sum(key.weight for key in keys)
    return ", ".join(f"{key.label} {key.weight / total:.0%}" for key in keys)


@frozen
class NamedKeys:
    """The keys of a pool that only name their secrets: whether the source has each."""

    keys: "Sequence[PoolKey]"
    source: SecretSource

    async def health(self) -> str:
        """Ask for each secret once, and show none."""
        missing = []
        async with AsyncExitStack() as stack:
            source: Any = self.source
            if hasattr(source, "__aenter__"):
                source = await stack.enter_async_context(source)
            for key in self.keys:
                try:
                    if key.name:
                        await source.secret(key.name)
                except NotFound as error:
                    missing.append(f"{key.label}: {error.public_message}")
        if missing:
            raise ConfigurationError(missing)
        return say_keys(self.keys)


def check_fallbacks(settings: "Settings", model: str, catalogue: Catalogue, book: PriceBook) -> str:
    """Check that *model* has fallbacks that can answer for it.

    Raises:
        ConfigurationError: one of them cannot; each fault is listed.
    """
    faults = []
    card = catalogue.card(model)
    if not _PATTERN & set(model) and card is not None and card.id != model:
        faults.append(f"{model} is another name of {card.id}; write that, under fallbacks")
    for name in settings.fallbacks[model]:
        faults.extend(_faults_of(settings, name, catalogue, book))
    if faults:
        raise ConfigurationError(faults)
    return "each has a provider and a price"


def _faults_of(
    settings: "Settings", name: str, catalogue: Catalogue, book: PriceBook
) -> Iterator[str]:
    card = catalogue.card(name)
    model = name if card is None else card.id
    provider, slash, rest = model.partition("/")
    if not (provider and slash and rest):
        yield f"{name} is no model: write provider/name, or an alias of the catalogue"
        return
    if card is not None and not card.enabled:
        yield f"{name} is switched off in the catalogue"
    if card is None and settings.only_known_models:
        yield f"{name} is not in the catalogue, and only_known_models is set"
    if provider not in settings.chat_models:
        yield f"{name}: no provider called {provider} is in chat_models"
    try:
        book.prices_of(model if card is None else card.price_name, at=datetime.now(UTC))
    except Unsupported:
        yield f"{name} has no price: add one to the price_book, or set default_price"
