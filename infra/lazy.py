"""Importing only what is used."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from attrs import frozen

from tollkeeper.domain.errors import ConfigurationError


@frozen
class Lazy:
    """A factory given as ``"package.module:Name.attribute"``, imported on its first call.

    *extra* is the optional dependency that it needs, for the remedy in the error.
    """

    path: str
    extra: str | None = None

    def load(self) -> Callable[..., Any]:
        """Import the factory.

        Raises:
            ConfigurationError: a package is missing or cannot be imported; the message says
                what to install.
        """
        module, _, names = self.path.partition(":")
        try:
            found: Any = import_module(module)
        except ModuleNotFoundError as error:
            missing = error.name or module
            if missing.startswith("tollkeeper.") or self.extra is None:
                raise ConfigurationError(f"cannot import {self.path}: no {missing}") from error
            raise ConfigurationError(
                f"{missing} is not installed; run: pip install 'tollkeeper[{self.extra}]'",
                code="extra_missing",
            ) from error
        except ImportError as error:
            remedy = f"; run: pip install -U 'tollkeeper[{self.extra}]'" if self.extra else ""
            raise ConfigurationError(f"cannot import {self.path}{remedy}") from error
        for name in names.split("."):
            found = getattr(found, name)
        factory: Callable[..., Any] = found
        return factory

    def __call__(self, *args: object, **kwargs: object) -> Any:
        """Import the factory and call it."""
        return self.load()(*args, **kwargs)
