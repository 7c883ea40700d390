"""What is compared: benchmarks, the contenders in each, and the cases they all run."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol

from attrs import frozen


@frozen
class Arena:
    """Where a contender works: an empty *folder* on a real disk, and the *upstream*'s address."""

    folder: Path
    upstream: str = ""


class Contender(Protocol):
    """One way to do the work; it has a process of its own."""

    async def open(self, arena: Arena) -> None:
        """Make ready: import, connect, fill tables."""

    async def call(self, mode: str) -> int:
        """Do the work of *mode* once, check its result, and return how many operations it was."""

    async def check(self) -> None:
        """Assert, after all rounds, that what was kept agrees with what was done."""

    async def close(self) -> None:
        """Give everything back."""


Side = Literal["ours", "floor", "other"]


@frozen
class Entry:
    """A contender's place in a benchmark.

    *side* says whose it is: ours, the floor that nobody can get below, or what one would pick
    instead. *package* must be installed for it; *label* may say its version as ``{version}``.
    *beside* is the entry that its ratios are against, where that is not the benchmark's baseline.
    """

    name: str
    label: str
    make: Callable[[], Contender]
    side: Side = "other"
    package: str | None = None
    beside: str | None = None

    @property
    def installed(self) -> bool:
        """Whether the contender can run here."""
        return self.package is None or find_spec(self.package) is not None

    @property
    def absence(self) -> str:
        """What stands in the table where it is not installed."""
        return f"{self.package} is not installed here; make bench installs it"

    @property
    def title(self) -> str:
        """The label, with the version that runs."""
        if self.package is None or not self.installed:
            return self.label.replace(" {version}", "")
        return self.label.format(version=version(_DISTRIBUTIONS.get(self.package, self.package)))


_DISTRIBUTIONS = {"argon2": "argon2-cffi"}


@frozen
class Case:
    """*callers* at once, each doing the work of *mode* over and over.

    Where an operation has *parts*, the time of one is shown too. *run_in* is a mode that every
    caller does once, uncounted, at the beginning of each round: to open connections that were
    closed while others had their turn.
    """

    name: str
    callers: int
    mode: str = ""
    parts: int = 0
    run_in: str = ""


@frozen
class Benchmark:
    """One comparison; the ratios are against *baseline*, one of its *entries*.

    *operation* says what is counted. *differs* says that what an operation takes more than that
    of the baseline is of interest, and shown. *server* runs what the contenders ask, if that is
    not the chat server, and gives its address.
    """

    name: str
    title: str
    operation: str
    entries: tuple[Entry, ...]
    cases: tuple[Case, ...]
    baseline: str
    needs_upstream: bool = False
    differs: bool = False
    server: Callable[[], AbstractContextManager[str]] | None = None

    def entry(self, name: str) -> Entry:
        """Return the contender of that name."""
        return next(entry for entry in self.entries if entry.name == name)
