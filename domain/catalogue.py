"""The model catalogue: what each model is called, can do and takes. Data; hosts extend it."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from attrs import evolve, field, frozen

from tollkeeper.domain.errors import ConfigurationError, Unsupported
from tollkeeper.domain.quirks import NO_QUIRKS, Quirks
from tollkeeper.domain.read_only import made_anew, read_only


class Capability(StrEnum):
    """What a model can do beside writing text."""

    TOOLS = "tools"
    PARALLEL_TOOLS = "parallel_tools"
    IMAGES = "images"
    AUDIO = "audio"
    FILES = "files"
    JSON = "json"
    JSON_SCHEMA = "json_schema"
    REASONING = "reasoning"
    PROMPT_CACHE = "prompt_cache"
    """It keeps marked prefixes; caching without marks needs no asking."""
    STREAMING = "streaming"
    EMBEDDINGS = "embeddings"
    """It makes vectors, and no text."""


def _capabilities(names: Iterable[str]) -> frozenset[Capability]:
    try:
        return frozenset(Capability(name) for name in names)
    except ValueError as error:
        known = ", ".join(Capability)
        raise ConfigurationError(f"{error}; the capabilities are {known}") from None


_OF_REASONING = frozenset({"reasoning_effort", "reasoning_budget"})
"""The parameters that only a model takes that can reason."""
_OF_PARALLEL_TOOLS = frozenset({"parallel_tool_calls"})


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(names)


@frozen(kw_only=True)
class ModelCard:
    """One model: *id* is ``provider/name``, *name* what the provider calls it.

    *context_window* and *max_output* are tokens (None: not known). *prices* names the entry of
    the price book (*id*, if empty). *plans* are the plans that include it (all, if empty).
    *cache_minimum* is the shortest prefix, in tokens, that the model keeps. *larger* and
    *unfiltered* name the models to fall back on when a request does not fit the window, or the
    provider's filter refuses it.
    """

    id: str
    name: str = ""
    aliases: tuple[str, ...] = field(default=(), converter=_names)
    context_window: int | None = None
    max_output: int | None = None
    capabilities: frozenset[Capability] = field(default=frozenset(), converter=_capabilities)
    prices: str = ""
    enabled: bool = True
    plans: tuple[str, ...] = field(default=(), converter=_names)
    quirks: Quirks = NO_QUIRKS
    cache_minimum: int = 1024
    larger: str = ""
    unfiltered: str = ""
    source: str = ""
    request_quirks: Quirks = field(init=False, repr=False, eq=False)
    """The *quirks* that a request has to fit: what the model cannot do, it does not take either."""

    @request_quirks.default
    def _request_quirks(self) -> Quirks:
        quirks, missing = self.quirks, frozenset[str]()
        if not (Capability.REASONING in self.capabilities or quirks.efforts):
            missing |= _OF_REASONING
        if Capability.PARALLEL_TOOLS not in self.capabilities:
            missing |= _OF_PARALLEL_TOOLS
        if quirks.unsupported >= missing:
            return quirks
        return evolve(quirks, unsupported=quirks.unsupported | missing)

    def __attrs_post_init__(self) -> None:
        provider, slash, name = self.id.partition("/")
        if not provider or not slash or not name:
            raise ConfigurationError(
                f"the model {self.id or '(without an id)'}: write provider/name"
            )
        for field_name in ("context_window", "max_output"):
            value = getattr(self, field_name)
            if value is not None and (type(value) is not int or value < 1):
                raise ConfigurationError(f"the model {self.id}: {field_name} is 1 or more tokens")

    @property
    def provider(self) -> str:
        """Who serves it."""
        return self.id.partition("/")[0]

    @property
    def wire_name(self) -> str:
        """What the provider calls it."""
        return self.name or self.id.partition("/")[2]

    @property
    def price_name(self) -> str:
        """Where the price book has its prices."""
        return self.prices or self.id

    def can(self, capability: Capability) -> bool:
        """Whether the model has *capability*."""
        return capability in self.capabilities

    def require(self, *capabilities: Capability) -> None:
        """Check that the model has all *capabilities*.

        Raises:
            Unsupported: it has not (code ``unsupported_capability``).
        """
        missing = [str(each) for each in capabilities if each not in self.capabilities]
        if missing:
            raise Unsupported(
                f"{self.id} cannot do {', '.join(sorted(missing))}: choose another model "
                "(tollkeeper models shows what each can do)",
                code="unsupported_capability",
            )


@frozen
class Catalogue:
    """All models that are known; immutable. Ids and aliases name one model each.

    Raises:
        ConfigurationError: two models share a name, or a model to fall back on is not known.
    """

    cards: tuple[ModelCard, ...] = ()
    _by_name: Mapping[str, ModelCard] = field(init=False, repr=False, eq=False)

    @_by_name.default
    def _index(self) -> Mapping[str, ModelCard]:
        index: dict[str, ModelCard] = {}
        faults: list[str] = []
        for card in self.cards:
            for name in (card.id, *card.aliases):
                if name in index:
                    faults.append(f"the model name {name} is given twice in the catalogue")
                index[name] = card
        for card in self.cards:
            faults.extend(
                f"the model {card.id}: no model is called {other}"
                for other in (card.larger, card.unfiltered)
                if other and other not in index
            )
        if faults:
            raise ConfigurationError(faults)
        return read_only(index)

    __reduce__ = made_anew

    def card(self, name: str) -> ModelCard | None:
        """Return the model that is called *name*, by id or alias; None if there is none."""
        return self._by_name.get(name)

    def of_provider(self, provider: str) -> tuple[ModelCard, ...]:
        """Return the models of *provider*, in order of their ids."""
        return tuple(
            sorted((c for c in self.cards if c.provider == provider), key=lambda card: card.id)
        )

    def extended_by(self, cards: Iterable[ModelCard]) -> "Catalogue":
        """Return a catalogue in which *cards* stand in the place of those of the same id."""
        new = tuple(cards)
        names = {card.id for card in new}
        return Catalogue((*(card for card in self.cards if card.id not in names), *new))
