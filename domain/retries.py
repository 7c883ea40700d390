"""When a failed attempt is made again, and when another model is asked instead. Pure."""

from datetime import timedelta
from enum import Enum, auto

from attrs import field, frozen

from tollkeeper.domain.errors import (
    ContentFiltered,
    ContextWindowExceeded,
    CorruptResponse,
    CredentialsRefused,
    InvalidRequest,
    NotFound,
    PortError,
    Throttled,
    TollkeeperError,
)

_RETRIED_STATUSES = (408, 409, 425, 429, 498)
"""The statuses below 500 after which the same request may pass; 425 and 498 are their kin."""


def _check_tries(_: object, __: object, tries: int) -> None:
    if type(tries) is not int or not 1 <= tries <= 10:
        raise InvalidRequest("tries is a whole number, 1 to 10")


class Step(Enum):
    """What to do after a failure."""

    RETRY = auto()
    """Ask the same model again, after a pause."""
    NEXT = auto()
    """Ask the next model of the chain: this one is out of order."""
    LARGER = auto()
    """Ask a model with a larger window."""
    UNFILTERED = auto()
    """Ask a model behind another filter."""
    STOP = auto()
    """The request itself is at fault: nobody else should be asked."""


@frozen
class RetryPolicy:
    """At most *tries* requests to one model, with pauses of up to *first_pause*, twice that, ….

    Pauses are drawn evenly between nothing and their bound ("full jitter"), so that callers that
    failed together do not come back together; *longest_pause* is the highest bound. What the
    provider asks for (Retry-After) is waited for at least. *retry_ambiguous* also repeats what the
    provider may have done, and billed, already.
    """

    tries: int = field(default=3, validator=_check_tries)
    first_pause: timedelta = timedelta(milliseconds=250)
    longest_pause: timedelta = timedelta(seconds=8)
    retry_ambiguous: bool = True

    def after(self, error: TollkeeperError, *, tried: int) -> Step:
        """Say what follows on *error*, the outcome of the *tried*-th request to one model."""
        if isinstance(error, ContextWindowExceeded):
            return Step.LARGER
        if isinstance(error, ContentFiltered):
            return Step.UNFILTERED
        if not isinstance(error, PortError):
            gone = isinstance(error, NotFound) and error.code == "model_not_found"
            return Step.NEXT if gone else Step.STOP
        if isinstance(error, CredentialsRefused | CorruptResponse):
            return Step.NEXT
        if not error.retryable:
            return Step.STOP
        if tried >= self.tries or (error.ambiguous and not self.retry_ambiguous):
            return Step.NEXT
        repeats = error.status is None or error.status >= 500 or error.status in _RETRIED_STATUSES
        # An open circuit is known to be open: waiting for it is the fallbacks' time lost.
        return Step.RETRY if repeats and error.code != "circuit_open" else Step.NEXT

    def pause(self, error: TollkeeperError, *, tried: int, chance: float) -> timedelta:
        """Return how long to wait after the *tried*-th request; *chance* is drawn from 0 to 1."""
        bound = min(self.first_pause * 2 ** (tried - 1), self.longest_pause)
        asked: timedelta = getattr(error, "retry_after", None) or timedelta(0)
        drawn: timedelta = bound * chance
        return asked + drawn


def shows_trouble(error: TollkeeperError) -> bool:
    """Whether *error* says that the provider is in trouble, rather than we or the request."""
    if isinstance(error, Throttled | CredentialsRefused):
        return False
    return isinstance(error, CorruptResponse) or (
        isinstance(error, PortError) and error.retryable and error.code not in _OURS
    )


_OURS = ("circuit_open", "concurrency_exhausted", "pool_exhausted")
