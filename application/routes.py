"""Which adapters can serve a call, in the order in which they are asked."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from tollkeeper.application.providers import Providers
from tollkeeper.domain.catalogue import Catalogue, ModelCard
from tollkeeper.domain.checks import checked_model
from tollkeeper.domain.errors import InvalidRequest, NotFound, PermissionDenied

MOST_ROUTES = 8

A = TypeVar("A")


@frozen(eq=False)
class Route(Generic[A]):
    """One model at one provider: *model* is its full name, *name* what the provider calls it."""

    model: str
    provider: str
    name: str
    adapter: A
    card: ModelCard | None = None

    @property
    def price_name(self) -> str:
        """Where the price book has its prices."""
        return self.card.price_name if self.card is not None else self.model

    @property
    def base_url(self) -> str:
        """Where its credential goes; empty for an adapter that sends none."""
        found: Any = getattr(self.adapter, "base_url", "")
        return str(found)


@frozen
class Routing(Generic[A]):
    """Finds the routes of a call.

    *fallbacks* maps a model (or a pattern such as ``openai/*``) to those to ask when it is out of
    order. *only_known* refuses models that the catalogue does not have.
    """

    providers: Providers[A]
    catalogue: Catalogue
    fallbacks: Mapping[str, Sequence[str]] = field(factory=dict)
    only_known: bool = False

    def route(self, model: str, *, plan: str) -> Route[A]:
        """Return the route to *model*, given by its id or an alias, for an account on *plan*.

        Raises:
            InvalidRequest: *model* does not read ``provider/name``, and is no alias.
            NotFound: its provider is not configured (code ``provider_unknown``), or the catalogue
                does not have it (code ``model_unknown``), or has it disabled (``model_disabled``).
            PermissionDenied: the catalogue keeps it to other plans.
        """
        card = self.catalogue.card(model) if isinstance(model, str) else None
        if card is None:
            checked_model(model)
            if self.only_known:
                raise NotFound(
                    f"the catalogue has no model {model}; tollkeeper models lists those it has",
                    code="model_unknown",
                )
            adapter, name = self.providers.serving(model)
            return Route(model, model.partition("/")[0], name, adapter)
        if not card.enabled:
            raise NotFound(f"the model {card.id} is switched off", code="model_disabled")
        if card.plans and not any(fnmatchcase(plan, pattern) for pattern in card.plans):
            raise PermissionDenied(
                f"the plan {plan} does not include the model {card.id}", code="not_in_plan"
            )
        adapter, _ = self.providers.serving(card.id)
        return Route(card.id, card.provider, card.wire_name, adapter, card)

    def names_after(self, model: str, asked: Sequence[str] | None) -> tuple[str, ...]:
        """Return the models to ask after *model*: those *asked* for, or those of the settings.

        Raises:
            InvalidRequest: there are too many.
        """
        if asked is None:
            names = tuple(self._configured(model))
        elif (
            isinstance(asked, str)
            or not isinstance(asked, Sequence)
            or not all(isinstance(name, str) for name in asked)
        ):
            raise InvalidRequest("fallbacks is a list of models")
        else:
            names = tuple(asked)
        if len(names) >= MOST_ROUTES:
            raise InvalidRequest(f"a call has at most {MOST_ROUTES - 1} fallbacks")
        return names

    def _configured(self, model: str) -> Iterator[str]:
        exact = self.fallbacks.get(model)
        if exact is not None:
            yield from exact
            return
        for pattern, names in self.fallbacks.items():
            if fnmatchcase(model, pattern):
                yield from (name for name in names if name != model)
                return
