"""What errors of AWS and of its SDK mean to a caller."""

import re
from typing import Any

from botocore import exceptions as theirs  # type: ignore[import-untyped]  # it ships no types

from tollkeeper.adapters.wire.causes import without_frames
from tollkeeper.domain.errors import (
    ConfigurationError,
    CorruptResponse,
    CredentialsRefused,
    PortError,
    Rejected,
    Throttled,
    Timeout,
    TollkeeperError,
    Unavailable,
)

ADAPTER = "aws"
_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorizedException"}
)
_UNKNOWN_CREDENTIALS = frozenset(
    {
        *("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"),
        *("InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature"),
        *("IncompleteSignatureException", "MissingAuthenticationToken", "RequestExpired"),
        *("MissingAuthenticationTokenException", "ExpiredToken", "ExpiredTokenException"),
        *("OptInRequired", "InvalidToken"),
    }
)
_THROTTLED = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled"),
        *("RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded"),
    }
)
_AWAY = frozenset({"KMSInternalException", "DependencyTimeoutException", "InternalServiceError"})
_NO_CREDENTIALS = (
    *(theirs.NoCredentialsError, theirs.PartialCredentialsError, theirs.NoAuthTokenError),
    *(theirs.CredentialRetrievalError, theirs.TokenRetrievalError, theirs.SSOError),
    *(theirs.LoginError, theirs.MetadataRetrievalError),
)
_TIMEOUTS = (theirs.ReadTimeoutError, theirs.ConnectTimeoutError)
_AWAY_ERRORS = (theirs.HTTPClientError, theirs.ConnectionError, theirs.IncompleteReadError)
_WIRING = (
    *(theirs.ProfileNotFound, theirs.ConfigParseError, theirs.ConfigNotFound),
    *(theirs.NoRegionError, theirs.InvalidConfigError, theirs.InvalidProxiesConfigError),
    *(theirs.InvalidEndpointConfigurationError, theirs.InvalidDefaultsMode),
)


def _code_of(error: BaseException) -> str:
    """Return AWS's own code for *error*; empty if it is no answer of AWS."""
    if not isinstance(error, theirs.ClientError):
        return ""
    code = error.response.get("Error", {}).get("Code", "")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def was_dropped(error: BaseException) -> bool:
    """Whether the connection ended before an answer: it may have been kept for too long."""
    return isinstance(error, theirs.ConnectionClosedError)


def translate(error: Exception, *, port: str, service: str) -> TollkeeperError:
    """Return the typed error for *error*, which becomes its cause, without its frames."""
    if isinstance(error, TollkeeperError):
        return error
    if isinstance(error, _WIRING):
        return ConfigurationError(
            f"{port}: the configuration of AWS is wrong ({type(error).__name__}); look at "
            "AWS_PROFILE, and at the files of ~/.aws"
        )
    kind, text = _meaning(error, service)
    typed = kind(
        text, port=port, adapter=ADAPTER, provider_code=_code_of(error), status=_status(error)
    )
    # Errors of a codec hold what they could not read: that may be a secret.
    if isinstance(error, theirs.ClientError | theirs.BotoCoreError) and kind is not CorruptResponse:
        typed.__cause__ = without_frames(error)
    return typed


def _status(error: Exception) -> int | None:
    if not isinstance(error, theirs.ClientError):
        return None
    found: Any = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return found if isinstance(found, int) else None


def _meaning(error: Exception, service: str) -> tuple[type[PortError], str]:
    if isinstance(error, theirs.ClientError):
        return _said(_code_of(error), _status(error) or 0, service)
    if isinstance(error, _NO_CREDENTIALS):
        return CredentialsRefused, (
            "no AWS credentials are found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a "
            "profile, or a role of the machine"
        )
    if isinstance(error, _TIMEOUTS):
        return Timeout, f"{service} did not answer in time"
    if isinstance(error, _AWAY_ERRORS):
        return Unavailable, f"{service} cannot be reached, or broke off"
    if isinstance(error, theirs.ParamValidationError):
        return Rejected, f"{service} cannot be asked this"
    return CorruptResponse, f"the answer of {service} breaks its own format"


def _said(code: str, status: int, service: str) -> tuple[type[PortError], str]:
    if code in _DENIED:
        return CredentialsRefused, (
            f"{service} does not allow this to our credentials; look at the policy of the role, "
            "and at that of the key"
        )
    if code in _UNKNOWN_CREDENTIALS:
        return CredentialsRefused, (
            f"{service} does not accept our credentials; they are wrong, or their time is over"
        )
    if code in _THROTTLED or status == 429:
        return Throttled, f"{service} limits how often we ask; wait a moment"
    if status >= 500 or code in _AWAY:
        return Unavailable, f"{service} says that it is down"
    if status in (401, 403):
        return CredentialsRefused, f"{service} refuses us"
    return Rejected, f"{service} refuses the request"
