"""A request that is ready to be sent, and what can be wrong with one."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from attrs import field, frozen

from tollkeeper.adapters.litellm.faults import ADAPTER, PORT, LitellmFault
from tollkeeper.adapters.litellm.sealed import Sealed
from tollkeeper.domain.errors import CredentialsRefused, InvalidRequest, Unsupported
from tollkeeper.domain.secret import Secret


@frozen
class Outgoing:
    """What is to be sent, and what litellm needs to read the answer."""

    url: str
    headers: Sealed
    body: bytes = field(repr=False)
    streamed: bool
    warnings: tuple[str, ...] = ()
    reading: Mapping[str, Any] = field(factory=dict, repr=False)

    def check(self, base_url: str, key: Secret, provider: str, *, port: str = PORT) -> None:
        """See that litellm sends *key*, and no other, to the server of *base_url*.

        Raises:
            CredentialsRefused: it would not; nothing was sent.
        """
        if _origin(self.url) != _origin(base_url):
            raise CredentialsRefused(
                f"litellm would send the key of {provider} to another place than its base URL; "
                "nothing was sent",
                port=port,
                adapter=ADAPTER,
                code="credential_bound_elsewhere",
            )
        if not self.headers.holds(key.reveal()):
            raise CredentialsRefused(
                f"litellm does not send the key that it is given to {provider}; nothing was sent",
                port=port,
                adapter=ADAPTER,
                code="credential_not_used",
            )


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def refused(error: Exception, provider: str) -> Exception:
    """Make the error for a request that litellm does not write, without its own exception."""
    fault: Exception
    if isinstance(error, InvalidRequest):
        return error
    if isinstance(error, UnicodeEncodeError):
        fault = InvalidRequest("the request holds text that is no valid Unicode")
    else:
        unfit = type(error).__name__ == "UnsupportedParamsError"
        fault = Unsupported(
            f"litellm cannot write this request for {provider}: leave out what is special about "
            "it, or choose another model",
            code="unsupported_parameter" if unfit else None,
        )
    fault.__cause__ = LitellmFault(error)
    return fault


def encode_json(body: Mapping[str, Any]) -> bytes:
    """Write *body* as JSON.

    Raises:
        InvalidRequest: a value in it is no JSON, or its text is no Unicode.
    """
    try:
        return _encoder.encode(body)
    except UnicodeEncodeError:
        fault = InvalidRequest("the request holds text that is no valid Unicode")
    except (TypeError, ValueError, OverflowError, RecursionError):
        fault = InvalidRequest(
            "a value in tools, response_format or extra cannot be written as JSON"
        )
    raise fault


def _as_plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(exclude_none=True)
    raise TypeError(type(value).__name__)


_encoder = msgspec.json.Encoder(enc_hook=_as_plain)
