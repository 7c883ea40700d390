"""Where the database is, read from a URL: nothing is taken from the environment."""

import re
import ssl
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from attrs import field, frozen

from tollkeeper.domain.errors import ConfigurationError

REMEDY = "write postgresql://user:password@host:5432/database"
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
# Whoever may make connections may often use these: on Supabase, everybody with a browser.
_NOT_OURS = frozenset({"public", "information_schema"})
_TLS = ("disable", "require", "verify-full")
_OPTIONS = frozenset(
    {"pool_size", "timeout", "pooler", "schema", "group", "sslmode", "sslrootcert"}
)


@frozen
class Address:
    """One database, and how to talk to it.

    *timeout* is what an operation may take, in seconds, from asking for a connection to the
    answer. With a *pooler* between us and the server, each transaction may meet another server:
    nothing is left behind in a session. *schema* is where Tollkeeper's tables are.
    """

    host: str
    database: str
    user: str
    password: str = field(default="", repr=False)
    port: int = 5432
    schema: str = "tollkeeper"
    pool_size: int = 10
    timeout: float = 5.0
    pooler: bool = False
    group: bool = True
    """Whether changes that wait at once share a statement."""
    sslmode: str = "disable"
    sslrootcert: str | None = None

    def tls(self) -> ssl.SSLContext | bool:
        """Make what checks the server's certificate; False where nothing is encrypted.

        Raises:
            ConfigurationError: the file of certificates cannot be read.
        """
        if self.sslmode == "disable":
            return False
        try:
            context = ssl.create_default_context(cafile=self.sslrootcert)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                "store: sslrootcert names no readable file of certificates (PEM)"
            ) from error
        if self.sslmode == "require":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def address_of(url: str) -> Address:
    """Read ``postgresql://user:password@host:port/database?option=value&…``.

    Options: ``pool_size`` (10), ``timeout`` (5, seconds), ``pooler=transaction``, ``schema``
    (tollkeeper), ``group`` (on, off), ``sslmode`` (disable, require, verify-full; where it is
    left out, verify-full, and disable on this machine), ``sslrootcert`` (a file).

    Raises:
        ConfigurationError: *url* is malformed; the text names the fault and never the password.
    """
    try:
        parts = urlsplit(url)
        port = 5432 if parts.port is None else parts.port
    except ValueError:
        raise ConfigurationError(f"store: the URL is malformed; {REMEDY}") from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise ConfigurationError(f"store: a PostgreSQL URL begins with postgresql://; {REMEDY}")
    options = _options(parts)
    host = options.pop("host", "") or unquote(parts.hostname or "")
    database = unquote(parts.path.removeprefix("/"))
    user = unquote(parts.username or "")
    for name, value in (("host", host), ("database", database), ("user", user)):
        if not value or "\0" in value:
            raise ConfigurationError(f"store: the URL names no {name}; {REMEDY}")
    schema = options.get("schema", "tollkeeper")
    if not _IDENTIFIER.fullmatch(schema) or schema.startswith("pg_") or schema in _NOT_OURS:
        raise ConfigurationError(
            "store: schema must be Tollkeeper's own: 1-63 small letters, digits or _, not public, "
            "and not beginning with pg_"
        )
    pooler = options.get("pooler", "session")
    if pooler not in ("session", "transaction"):
        raise ConfigurationError("store: pooler must be transaction, or be left out")
    return Address(
        host=host,
        database=database,
        user=user,
        password=unquote(parts.password or ""),
        port=port,
        schema=schema,
        pool_size=_number(options, "pool_size", 10, int, most=1000),
        timeout=_number(options, "timeout", 5.0, float, most=3600.0),
        pooler=pooler == "transaction",
        group=_choice(options, "group", ("on", "off"), "on") == "on",
        sslmode=_choice(options, "sslmode", _TLS, "disable" if _is_here(host) else "verify-full"),
        sslrootcert=_file(options.get("sslrootcert")),
    )


def _options(parts: SplitResult) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(pairs)
    unknown = sorted(options.keys() - _OPTIONS - {"host"})
    if unknown or parts.fragment or len(pairs) > len(options):
        what = f"; it has no option {unknown[0]!r}"[:80] if unknown else ""
        raise ConfigurationError(
            f"store: the options of a PostgreSQL URL are {', '.join(sorted(_OPTIONS))}, "
            f"each at most once{what}"
        )
    return options


def _number(
    options: Mapping[str, str],
    name: str,
    usual: float,
    kind: Callable[[str], float],
    *,
    most: float,
) -> Any:
    text = options.get(name)
    if text is None:
        return usual
    try:
        value = kind(text)
    except ValueError:
        value = 0
    if not 0 < value <= most:
        raise ConfigurationError(f"store: {name} must be a number above 0, at most {most:g}")
    return value


def _choice(options: Mapping[str, str], name: str, known: tuple[str, ...], usual: str) -> str:
    value = options.get(name, usual)
    if value not in known:
        raise ConfigurationError(f"store: {name} must be one of {', '.join(known)}")
    return value


def _file(path: str | None) -> str | None:
    if path is not None and not Path(path).is_file():
        raise ConfigurationError("store: sslrootcert names no file")
    return path


def _is_here(host: str) -> bool:
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
