"""Which Supabase project, by which key, read from a URL: nothing is taken from the environment."""

import base64
import binascii
import json
import re
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from attrs import field, frozen

from tollkeeper.adapters.wire.urls import count, one_of, parse_url
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret

EXAMPLE = "supabase+https://service_role:<the service key>@<project>.supabase.co"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_SMALLEST_PAGE = 128  # what is grouped is answered in one piece
_LONGEST = 3600.0


@frozen
class Address:
    """One project, and how to talk to it.

    *url* is the project's, without a key. *timeout* is what an operation may take, in seconds,
    from asking for a connection to the answer, with every try. *schema* is where Tollkeeper's
    functions are. *max_rows* is what the server returns at most (its setting "Max rows").
    """

    url: str
    key: Secret = field(repr=False)
    schema: str = "tollkeeper"
    pool_size: int = 10
    timeout: float = 5.0
    group: bool = True
    """Whether changes that wait at once share a request."""
    max_rows: int = 1000


def address_of(url: str, *, port: str = "store") -> Address:
    """Read ``supabase+https://service_role:<key>@<project>.supabase.co?option=value&…``.

    The key stands where a password does, and is percent-encoded as one. Options: ``schema``
    (tollkeeper), ``pool_size`` (10), ``timeout`` (5, seconds), ``max_rows`` (1000), ``group`` (on,
    off), ``insecure=yes`` (lets ``supabase+http`` reach another machine, without encryption).

    Raises:
        ConfigurationError: *url* is malformed, or its key is not one of the service; the text
            never shows the key.
    """
    # What follows may quote the URL's parts, so the key is taken out first.
    base_url, options = parse_url(
        url,
        scheme="supabase",
        example=EXAMPLE,
        port=port,
        options={
            "schema": _identifier,
            "pool_size": count,
            "timeout": _seconds,
            "max_rows": _rows,
            "group": one_of("on", "off"),
            "insecure": one_of("yes"),
        },
    )
    try:
        parts = urlsplit(base_url)
        number = parts.port
    except ValueError:
        raise ConfigurationError(f"{port}: the URL is malformed; write {EXAMPLE}") from None
    host = parts.hostname or ""
    # The key may stand alone.
    key = unquote((parts.username if parts.password is None else parts.password) or "")
    if not host or not host.isprintable() or parts.fragment or number == 0:
        raise ConfigurationError(f"{port}: the URL names no project; write {EXAMPLE}")
    if parts.scheme == "http" and not (is_here(host) or options.get("insecure")):
        raise ConfigurationError(
            f"{port}: supabase+http:// sends the key unencrypted; write supabase+https://, or add "
            "insecure=yes where the network is your own"
        )
    check_key(key, port=port)
    where = f"[{host}]" if ":" in host else host
    return Address(
        url=f"{parts.scheme}://{where}{'' if number is None else f':{number}'}"
        f"{parts.path.rstrip('/')}",
        key=Secret(key),
        schema=options.get("schema", "tollkeeper"),
        pool_size=min(options.get("pool_size", 10), 1000),
        timeout=options.get("timeout", 5.0),
        group=options.get("group", "on") == "on",
        max_rows=options.get("max_rows", 1000),
    )


def check_key(key: str, *, port: str = "store") -> None:
    """Check that *key* is one of the service, by what it says of itself; nothing is sent.

    Raises:
        ConfigurationError: it is the anonymous or publishable key, a user's token, or no key.
    """
    remedy = f"give the secret key (sb_secret_…) or the service_role key of the project: {EXAMPLE}"
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(f"{port}: the URL holds no key; {remedy}", code="key_missing")
    if key.startswith("sb_secret_"):
        return
    role = "the publishable key" if key.startswith("sb_publishable_") else _role_of(key)
    if role is None:
        raise ConfigurationError(f"{port}: this is no Supabase key; {remedy}", code="key_malformed")
    if role != "service_role":
        what = role if role.startswith("the ") else f"the key of the role {role}"
        raise ConfigurationError(
            f"{port}: {what} may not do this: it is for browsers; {remedy}",
            code="key_not_service",
        )


def is_here(host: str) -> bool:
    """Whether *host* is this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _role_of(token: str) -> str | None:
    """Return the role that a JSON Web Token claims, unverified; None if it is no such token."""
    head, *rest = token.split(".")
    if not head or len(rest) != 2:
        return None
    claims = rest[0]
    try:
        text = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))
        role = json.loads(text)["role"]
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None
    return role if isinstance(role, str) and role.isidentifier() else None


def _identifier(name: str, value: str) -> str:
    if not _IDENTIFIER.fullmatch(value):
        raise ValueError(f"{name} is 1-63 letters, digits or _, and begins with none of the digits")
    return value


def _rows(name: str, value: str) -> int:
    found = count(name, value)
    if found < _SMALLEST_PAGE:
        raise ValueError(f"{name} is a whole number, {_SMALLEST_PAGE} or more")
    return found


def _seconds(name: str, value: str) -> float:
    try:
        found = float(value)
    except ValueError:
        found = 0.0
    if not 0 < found <= _LONGEST:
        raise ValueError(f"{name} is a number of seconds above 0, at most {_LONGEST:g}")
    return found
