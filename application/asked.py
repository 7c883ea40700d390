"""What is asked of providers, and how an attempt at it is made."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

from attrs import define, field, frozen

from tollkeeper.application.admission import Admission
from tollkeeper.application.attempt_records import AttemptRecords
from tollkeeper.application.credentials import OwnCredentials
from tollkeeper.application.live_attempt import LiveAttempt, Measure
from tollkeeper.application.routes import Route
from tollkeeper.domain.errors import TollkeeperError

A = TypeVar("A")
T = TypeVar("T")


class Opening(Protocol[A, T]):
    """How one attempt is made, up to the point after which no other may be."""

    async def open(self, attempt: LiveAttempt[A]) -> T:
        """Ask along ``attempt.route``, and return the answer, or the stream once it says anything.

        Raises:
            TollkeeperError: it failed; the attempt is not ended yet.
        """

    async def discard(self, attempt: LiveAttempt[A], opened: T) -> None:
        """Leave what *attempt* opened, since another attempt won, and end its record."""


@frozen
class Choice(Generic[A]):
    """A route, and the account's admission for its model."""

    route: Route[A]
    admission: Admission


@define(eq=False)
class Asked(Generic[A]):
    """What is asked, of whom, and until when.

    *choices* are asked in order; *larger* has the model for a request that does not fit the window
    of the model by which it stands, *unfiltered* the one for content that its filter refuses.
    *credentials* are the caller's own: given any, no other is used. *deadline* is a moment of the
    event loop's clock.
    """

    port: str
    choices: Sequence[Choice[A]]
    records: AttemptRecords
    measure: Measure
    deadline: float
    larger: Mapping[str, Choice[A]] = field(factory=dict)
    unfiltered: Mapping[str, Choice[A]] = field(factory=dict)
    credentials: OwnCredentials | None = None
    hedge_after: timedelta | None = None
    failures: list[tuple[str, TollkeeperError]] = field(factory=list, repr=False)
    """Which models failed, and how, in order."""

    @property
    def wanted(self) -> str:
        """The model that the caller asked for."""
        return self.choices[0].route.model
