"""Which AWS service, in which region, read from a URL; credentials from the host's variables."""

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from attrs import field, frozen

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret

_REGION = re.compile(r"[a-z]{2,8}(-[a-z]{1,12}){1,3}-[0-9]{1,2}")
_DURATION = re.compile(r"([0-9]{1,6})(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST_TIMEOUT = 300.0
_LARGEST_POOL = 100
Reader = Callable[[str, str], object]
"""Reads an option of the name and with the value that are given, or raises ``ValueError``."""


@frozen
class Credentials:
    """The keys that the host's variables give, or the *profile* to take them from.

    With neither, boto3 looks where it always does: its files, and the role of the machine.
    """

    access_key: str | None = field(default=None, repr=False)
    secret_key: Secret | None = field(default=None, repr=False)
    session_token: Secret | None = field(default=None, repr=False)
    profile: str | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str], *, port: str) -> Self:
        """Read ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``, or
        ``AWS_PROFILE``.

        Raises:
            ConfigurationError: one of the first two is missing.
        """
        access, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
        if not access and not secret:
            return cls(profile=environ.get("AWS_PROFILE") or None)
        if not access or not secret:
            missing = "AWS_SECRET_ACCESS_KEY" if access else "AWS_ACCESS_KEY_ID"
            del secret  # a traceback may show the locals of this frame
            raise ConfigurationError(
                f"{port}: the AWS credentials are incomplete; set {missing} too, or neither"
            )
        token = environ.get("AWS_SESSION_TOKEN")
        return cls(access, Secret(secret), Secret(token) if token else None)


@frozen
class Address:
    """One service in one *region*, and how to talk to it.

    *timeout* is what an operation may take, in seconds, from asking for a connection to the
    answer. *endpoint* takes the place of AWS's own; None for that.
    """

    region: str
    endpoint: str | None = None
    timeout: float = 5.0
    pool_size: int = 8


def parse_aws_url(
    url: str, *, scheme: str, example: str, port: str, options: Mapping[str, Reader]
) -> tuple[Address, str, dict[str, object]]:
    """Read ``<scheme>://<region>/<path>?option=value`` as an address, the path and the options.

    Beside *options* there are ``endpoint``, ``timeout``, ``pool_size`` and ``insecure=yes``.
    *port* is how faults call the adapter, *example* what its URL looks like.

    Raises:
        ConfigurationError: it is malformed; all faults at once.
    """
    remedy = f"{port}: write {example}"
    try:
        parts = urlsplit(url)
        fits = _fits(parts, scheme)
    except (ValueError, AttributeError):
        fits = False
    if not fits:
        raise ConfigurationError(remedy)
    readers: Mapping[str, Reader] = {
        "endpoint": _endpoint,
        "timeout": _timeout,
        "pool_size": _pool_size,
        "insecure": _yes,
        **options,
    }
    values: dict[str, object] = {}
    faults: list[str] = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in readers:
            faults.append(f"{port}: there is no option {name!a}; there are {', '.join(readers)}")
            continue
        try:
            values[name] = readers[name](name, value)
        except ValueError as error:
            faults.append(f"{port}: {error}")
    if values.pop("insecure", None) is None and _is_open(values.get("endpoint")):
        faults.append(
            f"{port}: an endpoint with http:// sends secrets unencrypted; use https://, or add "
            "insecure=yes where the network is your own"
        )
    if faults:
        raise ConfigurationError(faults)
    own = {
        name: values.pop(name) for name in ("endpoint", "timeout", "pool_size") if name in values
    }
    address = Address(parts.netloc, **own)  # type: ignore[arg-type]  # its readers made them so
    return address, unquote(parts.path.removeprefix("/")), values


def duration(name: str, value: str) -> float:
    """Read ``90s``, ``5m`` or ``1h`` as seconds."""
    match = _DURATION.fullmatch(value)
    if match is None:
        raise ValueError(f"{name} is a number with its unit, such as 90s, 5m or 1h")
    return int(match[1]) * _SECONDS[match[2]]


def _fits(parts: SplitResult, scheme: str) -> bool:
    return (
        parts.scheme == scheme
        and _REGION.fullmatch(parts.netloc) is not None
        and not parts.fragment
        and unquote(parts.path).isprintable()
    )


def _timeout(name: str, value: str) -> float:
    seconds = duration(name, value)
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        raise ValueError(f"{name} is above 0 and at most {_LONGEST_TIMEOUT:g} seconds")
    return seconds


def _pool_size(name: str, value: str) -> int:
    if value.isascii() and value.isdecimal() and 1 <= int(value[:9]) <= _LARGEST_POOL:
        return int(value[:9])
    raise ValueError(f"{name} is a whole number between 1 and {_LARGEST_POOL}")


def _yes(name: str, value: str) -> bool:
    if value != "yes":
        raise ValueError(f"{name} is yes, or left out")
    return True


def _endpoint(name: str, value: str) -> str:
    fault = f"{name} reads like https://host or http://127.0.0.1:5000"
    try:
        parts = urlsplit(value)
        number = parts.port
    except ValueError:
        raise ValueError(fault) from None
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme not in ("http", "https") or not parts.hostname or number == 0 or not plain:
        raise ValueError(fault)
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(fault)
    return value.rstrip("/")


def _is_open(endpoint: object) -> bool:
    """Whether what goes to *endpoint* leaves this machine unencrypted."""
    if not isinstance(endpoint, str) or not endpoint.startswith("http://"):
        return False
    host = urlsplit(endpoint).hostname or ""
    try:
        return host != "localhost" and not ip_address(host).is_loopback
    except ValueError:
        return True
