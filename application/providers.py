"""Finding the adapter that serves a model."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from attrs import frozen

from tollkeeper.domain.checks import checked_model
from tollkeeper.domain.errors import NotFound

Adapter = TypeVar("Adapter", covariant=True)


@frozen
class Providers(Generic[Adapter]):
    """The adapters of one port by the provider's name: the part of a model before the ``/``."""

    adapters: Mapping[str, Adapter]

    def serving(self, model: str) -> tuple[Adapter, str]:
        """Return the adapter for *model* and the provider's own name of the model.

        Raises:
            InvalidRequest: *model* does not read ``provider/name``.
            NotFound: no provider of that name is configured (code ``provider_unknown``).
        """
        provider, _, name = checked_model(model).partition("/")
        if provider not in self.adapters:
            known = ", ".join(sorted(self.adapters)) or "none"
            raise NotFound(
                f"no provider called {provider} is configured (there are: {known})",
                code="provider_unknown",
            )
        return self.adapters[provider], name
