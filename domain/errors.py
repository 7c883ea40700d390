"""Every error Tollkeeper raises, in one tree.

::

    TollkeeperError(code, public_message)          never raised itself
    ├── DomainError            the request cannot be honoured; a retry does not help
    │   ├── InvalidRequest · NotFound · Conflict · IdempotencyConflict · Unsupported
    │   ├── Unauthenticated · PermissionDenied
    │   └── InsufficientCredit · QuotaExceeded · RateLimited(retry_after)
    ├── PortError(port, adapter, retryable, ambiguous, retry_after)
    │   │                      an adapter failed; the provider's exception is ``__cause__``
    │   ├── Unavailable · Timeout · Throttled · PoolExhausted                 retryable
    │   └── Rejected · ContentFiltered · ContextWindowExceeded · CredentialsRefused ·
    │       CorruptResponse
    └── ConfigurationError     wrong wiring; all faults at once, at start-up

``public_message`` may be shown to anyone: it never holds a secret, a provider's own text or a
machine path. Hosts map classes to HTTP statuses in one table of their own.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar


def _restored(
    cls: "type[TollkeeperError]", args: tuple[Any, ...], state: dict[str, Any]
) -> "TollkeeperError":
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


class TollkeeperError(Exception):
    """The root of the tree; catch it, never raise it.

    Args:
        public_message: what went wrong and what to do, safe to show to anyone.
        code: a stable machine-readable name; each class has a default.
    """

    default_code: ClassVar[str] = "error"

    def __init__(self, public_message: str, *, code: str | None = None) -> None:
        super().__init__(public_message)
        self.public_message = public_message
        self.code = code or self.default_code

    def __reduce__(self) -> tuple[Any, ...]:
        # An error must survive the way out of a worker process, whatever its arguments.
        return _restored, (type(self), self.args, self.__dict__)


class DomainError(TollkeeperError):
    """The request cannot be honoured as it stands; a retry does not help."""

    default_code = "domain_error"


class InvalidRequest(DomainError):
    """An argument is malformed; the message names it."""

    default_code = "invalid_request"


class NotFound(DomainError):
    """No such thing, or it belongs to another account (the two are told apart nowhere)."""

    default_code = "not_found"


class Conflict(DomainError):
    """The thing is in a state that does not allow this, or someone else changed it first."""

    default_code = "conflict"


class IdempotencyConflict(DomainError):
    """The idempotency key was used before, with other arguments."""

    default_code = "idempotency_conflict"


class Unsupported(DomainError):
    """The chosen provider or model cannot do what was asked."""

    default_code = "unsupported"


class Unauthenticated(DomainError):
    """The key is malformed, unknown or wrong (one answer for all), or expired or revoked."""

    default_code = "unauthenticated"


class PermissionDenied(DomainError):
    """The principal is known, but its scopes or its plan do not allow this."""

    default_code = "permission_denied"


class InsufficientCredit(DomainError):
    """The account's available credit does not cover the worst case of the call."""

    default_code = "insufficient_credit"


class QuotaExceeded(DomainError):
    """The plan's quota for this period is used up."""

    default_code = "quota_exceeded"


class RateLimited(DomainError):
    """Too many requests; *retry_after* says when the next one can pass."""

    default_code = "rate_limited"

    def __init__(
        self, public_message: str, *, retry_after: timedelta, code: str | None = None
    ) -> None:
        super().__init__(public_message, code=code)
        self.retry_after = retry_after


class PortError(TollkeeperError):
    """An adapter failed; the provider's exception is ``__cause__``, its text is never shown.

    Args:
        port: the port's name, such as ``"chat_model"``.
        adapter: the adapter's name, such as ``"openai"``.
        ambiguous: whether the provider may have done (and billed) the work all the same.
        retry_after: how long the provider asks to wait, where it said so.
        provider_code: the provider's own code or type for it, as it sent it; empty if none.
        status: the HTTP status that the provider answered with; None if there was none.
    """

    default_code = "port_error"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        public_message: str,
        *,
        port: str,
        adapter: str,
        ambiguous: bool = False,
        retry_after: timedelta | None = None,
        code: str | None = None,
        provider_code: str = "",
        status: int | None = None,
    ) -> None:
        super().__init__(public_message, code=code)
        self.port = port
        self.adapter = adapter
        self.ambiguous = ambiguous
        self.retry_after = retry_after
        self.provider_code = provider_code
        self.status = status
        self.partial: Any = None
        """What came before a stream broke, a ``Completion``; None for everything else."""
        self.attempts: tuple[Any, ...] = ()
        """The requests that were made for the call that failed, each an ``Attempt``."""


class Unavailable(PortError):
    """The provider cannot be reached, broke off, or says that it is down."""

    default_code = "unavailable"
    retryable = True


class Timeout(PortError):
    """No answer in time; the provider may still have done the work."""

    default_code = "timeout"
    retryable = True


class Throttled(PortError):
    """The provider limits us (not the caller)."""

    default_code = "throttled"
    retryable = True


class PoolExhausted(PortError):
    """All connections to the provider are in use."""

    default_code = "pool_exhausted"
    retryable = True


class Rejected(PortError):
    """The provider refuses the request as it stands."""

    default_code = "rejected"


class ContentFiltered(PortError):
    """The provider's policy refuses the content."""

    default_code = "content_filtered"


class ContextWindowExceeded(PortError):
    """The messages do not fit the model's context window."""

    default_code = "context_window_exceeded"


class CredentialsRefused(PortError):
    """The provider refuses our credential, or the credential may not do this."""

    default_code = "credentials_refused"


class CorruptResponse(PortError):
    """The provider's answer breaks its own format, or ends before it is complete."""

    default_code = "corrupt_response"


class ConfigurationError(TollkeeperError):
    """The wiring is wrong; *faults* lists everything that is, with the remedy."""

    default_code = "configuration_error"

    def __init__(self, faults: str | Sequence[str], *, code: str | None = None) -> None:
        self.faults: tuple[str, ...] = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("; ".join(self.faults), code=code)
