"""No telemetry."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.ports.clock import Clock
from tollkeeper.ports.identifiers import Identifiers
from tollkeeper.ports.telemetry import Attribute


class _NoSpan:
    __slots__ = ()

    def set(self, name: str, value: Attribute) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _: type[BaseException] | None,
        __: BaseException | None,
        ___: TracebackType | None,
    ) -> None:
        pass


_NO_SPAN = _NoSpan()


class NullTelemetry:
    """Forgets every span at once."""

    __slots__ = ()

    @classmethod
    def from_url(cls, url: str, *, clock: Clock, identifiers: Identifiers) -> Self:
        """Make one from ``null://``.

        Raises:
            ConfigurationError: *url* says anything more.
        """
        if url != "null://":
            raise ConfigurationError(
                "the null telemetry takes no path and no options; write null://"
            )
        return cls()

    def span(self, name: str, attributes: Mapping[str, Attribute] | None = None) -> _NoSpan:
        """Open a span that keeps nothing."""
        return _NO_SPAN

    async def flush(self) -> None:
        """Do nothing: nothing is waiting."""
