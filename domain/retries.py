"""When a failed attempt is made again, and when another model is asked instead. Pure."""

from collections.abc import Sequence
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
    OTHER_KEY = auto()
    """Ask the same model at once, with another key."""
    LATER = auto()
    """Ask the others first, and the same model again if none of them answers."""
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
    provider asks for (Retry-After) is waited for at least; if it asks for more than
    *longest_pause*, others are asked meanwhile. *retry_ambiguous* also repeats what the provider
    may have done, and billed, already.
    """

    tries: int = field(default=3, validator=_check_tries)
    first_pause: timedelta = timedelta(milliseconds=250)
    longest_pause: timedelta = timedelta(seconds=8)
    retry_ambiguous: bool = True

    def after(self, error: TollkeeperError, *, tried: int, other_key: bool = False) -> Step:
        """Say what follows on *error*, the outcome of the *tried*-th request to one model.

        *other_key* says that the house has another key for it, which the provider did not refuse.
        """
        if isinstance(error, ContextWindowExceeded):
            return Step.LARGER
        if isinstance(error, ContentFiltered):
            return Step.UNFILTERED
        if not isinstance(error, PortError):
            gone = isinstance(error, NotFound) and error.code == "model_not_found"
            return Step.NEXT if gone else Step.STOP
        if isinstance(error, CredentialsRefused):
            return Step.OTHER_KEY if other_key and tried < self.tries else Step.NEXT
        if isinstance(error, CorruptResponse):
            return Step.NEXT
        if not error.retryable:
            return Step.STOP
        if tried >= self.tries or (error.ambiguous and not self.retry_ambiguous):
            return Step.NEXT
        repeats = error.status is None or error.status >= 500 or error.status in _RETRIED_STATUSES
        # An open circuit is known to be open: waiting for it is the fallbacks' time lost.
        return Step.RETRY if repeats and error.code != "circuit_open" else Step.NEXT

    def jitter(self, *, tried: int, chance: float) -> timedelta:
        """Return what is waited after the *tried*-th request beyond what the provider asks for.

        *chance* is drawn from 0 to 1.
        """
        bound: timedelta = min(self.first_pause * 2 ** (tried - 1), self.longest_pause)
        return bound * chance

    def before(self, *, asked: float, pause: float, left: float, others: bool) -> Step:
        """Say whether to wait before a retry: RETRY, or LATER, or NEXT.

        The wait is *pause* seconds, for *asked* of which the provider asks, and *left* seconds
        are left of the call. *others* says that another model can be asked meanwhile.
        """
        if pause >= left:
            return Step.NEXT
        return Step.LATER if others and asked > self.longest_pause.total_seconds() else Step.RETRY


def shows_trouble(error: TollkeeperError) -> bool:
    """Whether *error* says that the provider is in trouble, rather than we or the request."""
    if isinstance(error, Throttled | CredentialsRefused):
        return False
    return isinstance(error, CorruptResponse) or (
        isinstance(error, PortError) and error.retryable and error.code not in _OURS
    )


_OURS = ("circuit_open", "concurrency_exhausted", "pool_exhausted")


def most_telling(
    failures: Sequence[tuple[str, TollkeeperError]], *, wanted: str
) -> TollkeeperError:
    """Return the failure to report for a call that wanted the model *wanted*.

    *failures* are models and how they failed, in order, one at least. That the request does not
    fit the wanted model's window, or that its filter refuses it, is what the caller can mend; that
    it does not fit a fallback is not. Else it is the last.
    """
    telling = failures[-1][1]
    for model, error in failures:
        if isinstance(error, ContextWindowExceeded | ContentFiltered):
            if model == wanted:
                return error
        else:
            telling = error
    return telling
