"""The price list: which prices hold for which model, and when."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from attrs import evolve, field, frozen

from tollkeeper.domain.errors import ConfigurationError, Unsupported
from tollkeeper.domain.prices import ModelPrices
from tollkeeper.domain.read_only import made_anew, read_only


def _flagged(default: ModelPrices | None) -> ModelPrices | None:
    return default and evolve(default, flagged=True)


@frozen
class PriceBook:
    """The dated price list; immutable. *entries* of one model never overlap in time.

    Raises:
        ConfigurationError: two entries of one model overlap.
    """

    version: str
    entries: tuple[ModelPrices, ...]
    default: ModelPrices | None = field(default=None, converter=_flagged)
    """Prices (flagged) for models the book does not know; None refuses such models."""
    _by_model: Mapping[str, tuple[ModelPrices, ...]] = field(init=False, repr=False, eq=False)

    @_by_model.default
    def _index(self) -> Mapping[str, tuple[ModelPrices, ...]]:
        index: dict[str, list[ModelPrices]] = {}
        for entry in sorted(self.entries, key=lambda e: e.effective_from):
            earlier = index.setdefault(entry.model, [])
            if earlier and earlier[-1].covers(entry.effective_from):
                raise ConfigurationError(f"prices of {entry.model} overlap")
            earlier.append(entry)
        return read_only({model: tuple(entries) for model, entries in index.items()})

    __reduce__ = made_anew

    def prices_of(self, model: str, *, at: datetime) -> ModelPrices:
        """Return the prices of *model* (``provider/name``) at *at*.

        Raises:
            Unsupported: the book has none (code ``model_unpriced``).
        """
        everything = f"{model.partition('/')[0]}/*"
        for entry in reversed(self._by_model.get(model) or self._by_model.get(everything, ())):
            if entry.covers(at):
                return entry
        if self.default is not None:
            return self.default
        raise Unsupported(
            f"{model} has no price, so it cannot be charged; add it to the price book, or set "
            "a default price for unknown models",
            code="model_unpriced",
        )

    def extended_by(self, entries: Iterable[ModelPrices], *, version: str) -> "PriceBook":
        """Return a book in which the models of *entries* have just those prices."""
        new = tuple(entries)
        names = {entry.model for entry in new}
        kept = tuple(entry for entry in self.entries if entry.model not in names)
        return PriceBook(version=version, entries=kept + new, default=self.default)
