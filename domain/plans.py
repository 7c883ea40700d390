"""Plans: what an account has bought, and what that entitles it to."""

from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatchcase
from functools import lru_cache

from attrs import field, frozen

from tollkeeper.domain.checks import checked_account, checked_text, checked_time
from tollkeeper.domain.errors import InvalidRequest, PermissionDenied
from tollkeeper.domain.key_limits import OnOutage, checked_on_outage
from tollkeeper.domain.rate_limits import RateLimit


def _checked_name(name: str) -> str:
    if not name:
        raise InvalidRequest("a plan needs a name")
    return checked_text(name, field="the plan's name", longest=64)


def _check_name(_: object, __: object, name: str) -> None:
    _checked_name(name)


def _check_not_negative(_: object, __: object, bps: int) -> None:
    if type(bps) is not int or not 0 <= bps <= 1_000_000:
        raise InvalidRequest("markup_bps is 0 to 1 000 000 basis points")


def _check_positive(_: object, __: object, tokens: int | None) -> None:
    if tokens is not None and (type(tokens) is not int or tokens < 1):
        raise InvalidRequest("max_output_tokens is 1 or more")


def _patterns(patterns: Iterable[str]) -> tuple[str, ...]:
    # A bare string would be taken for its characters, and one "*" among them allows everything.
    if isinstance(patterns, str) or not isinstance(patterns, Iterable):
        raise InvalidRequest("a plan's operations and models are lists of patterns")
    return tuple(checked_text(pattern, field="a pattern") for pattern in patterns)


def _check_rate_limit(_: object, __: object, limit: RateLimit | None) -> None:
    if limit is not None and not isinstance(limit, RateLimit):
        raise InvalidRequest("a plan's rate_limit is a RateLimit")


def _checked_start(at: datetime) -> datetime:
    return checked_time(at, field="starts_at")


def _checked_end(at: datetime | None) -> datetime | None:
    return None if at is None else checked_time(at, field="ends_at")


@lru_cache(maxsize=4096)
def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    # fnmatch knows character classes too; a plan's patterns do not.
    return any(fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in patterns)


@frozen
class Plan:
    """What an account may do.

    *operations* and *models* are patterns (``*`` and ``?``): ``chat:*``, ``offline/*``.
    *rate_limit* counts the calls of the whole account; *on_outage* says what becomes of it while
    the rate limiter is away. *markup_bps* is added to each price, in
    basis points (100 is one per cent).
    """

    name: str = field(validator=_check_name)
    operations: tuple[str, ...] = field(default=("*",), converter=_patterns)
    models: tuple[str, ...] = field(default=("*",), converter=_patterns)
    rate_limit: RateLimit | None = field(default=None, validator=_check_rate_limit)
    max_output_tokens: int | None = field(default=None, validator=_check_positive)
    markup_bps: int = field(default=0, validator=_check_not_negative)
    on_outage: OnOutage = field(default=OnOutage.CLOSED, converter=checked_on_outage)

    def require(self, *, operation: str, model: str) -> None:
        """Check that the plan includes *operation* on *model*.

        Raises:
            PermissionDenied: it does not.
        """
        if not _matches(operation, self.operations):
            raise PermissionDenied(
                f"the plan {self.name} does not include {operation}", code="not_in_plan"
            )
        if not _matches(model, self.models):
            raise PermissionDenied(
                f"the plan {self.name} does not include the model {model}", code="not_in_plan"
            )


@frozen
class Subscription:
    """An *account* has the plan called *plan* from *starts_at* until before *ends_at*.

    Raises:
        InvalidRequest: a name is malformed, a time lacks its zone, or the end is not after the
            start.
    """

    account: str = field(converter=checked_account)
    plan: str = field(converter=_checked_name)
    starts_at: datetime = field(converter=_checked_start)
    ends_at: datetime | None = field(default=None, converter=_checked_end)

    def __attrs_post_init__(self) -> None:
        if self.ends_at is not None and self.ends_at <= self.starts_at:
            raise InvalidRequest("a subscription must end after it starts")

    def covers(self, at: datetime) -> bool:
        """Whether the subscription runs at *at*."""
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)
