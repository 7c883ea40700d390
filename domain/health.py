"""Whether a facade can do its work, part by part."""

from datetime import timedelta

from attrs import frozen


@frozen
class PartHealth:
    """One part of a facade, by the name of its port, and whether it works.

    *says* is a short description, or what is wrong and what to do; *latency* is how long it took
    to answer. None if it has nothing to ask: it lives in the process.
    """

    part: str
    works: bool
    critical: bool
    """Whether nothing can be done without it; without the others some things cannot."""
    says: str = ""
    latency: timedelta | None = None


@frozen
class Health:
    """All parts of a facade that may fail for themselves."""

    parts: tuple[PartHealth, ...]

    @property
    def ready(self) -> bool:
        """Whether every critical part works: fit for the readiness probe of a host."""
        return all(part.works for part in self.parts if part.critical)

    @property
    def failing(self) -> tuple[PartHealth, ...]:
        """The parts that do not work."""
        return tuple(part for part in self.parts if not part.works)
