"""The URLs that say where Redis is and how to talk to it."""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import field, frozen

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.secret import Secret

SCHEMES = ("redis", "rediss", "redis+cluster", "redis+sentinel")
EXAMPLE = "redis://user:password@host:6379/0?pool_size=20&timeout=2&namespace=tk"
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MASTER = re.compile(r"[A-Za-z0-9._-]{1,128}")
_DEFAULT_PORT = {"redis+sentinel": 26379}
_LARGEST_POOL = 10_000
_LONGEST_TIMEOUT = 3600.0
_OPTIONS = (
    *("pool_size", "timeout", "acquire_timeout", "namespace"),
    *("tls", "ca_file", "cert_file", "key_file"),
)


@frozen
class RedisUrl:
    """What a URL says.

    *timeout* is in seconds and bounds one operation, retries and all; *acquire_timeout* the part
    of it that may be spent waiting for a connection.
    """

    topology: str
    """``single``, ``cluster`` or ``sentinel``."""
    nodes: tuple[tuple[str, int], ...]
    user: str | None = None
    password: Secret | None = field(default=None, repr=False)
    db: int = 0
    master: str = ""
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    pool_size: int = 20
    timeout: float = 2.0
    acquire_timeout: float = 2.0
    namespace: str = "tk"


def parse_redis_url(url: str, *, port: str) -> RedisUrl:
    """Read *url*; *port* is how faults call the adapter.

    Raises:
        ConfigurationError: it is malformed; all faults at once, and none shows the password.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise ConfigurationError(f"{port}: a Redis URL must read like {EXAMPLE}")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigurationError(f"{port}: a Redis URL must read like {EXAMPLE}") from None
    faults: list[str] = []
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    topology = scheme.partition("+")[2] or "single"
    nodes = _nodes(hosts, _DEFAULT_PORT.get(scheme, 6379), faults)
    if topology == "single" and len(nodes) > 1:
        faults.append("several hosts need redis+cluster:// or redis+sentinel://")
    master, db = _path(parts.path, topology, faults)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    faults += [
        f"there is no option {name!r}; there are {', '.join(_OPTIONS)}"
        for name in options
        if name not in _OPTIONS
    ]
    timeout = _seconds("timeout", options, faults, default=2.0)
    read = RedisUrl(
        topology=topology,
        nodes=nodes,
        user=unquote(user) or None,
        password=Secret(unquote(password)) if password else None,
        db=db,
        master=master,
        tls=scheme == "rediss" or _switch("tls", options, faults),
        ca_file=options.get("ca_file") or None,
        cert_file=options.get("cert_file") or None,
        key_file=options.get("key_file") or None,
        pool_size=_count("pool_size", options, faults, default=20, most=_LARGEST_POOL),
        timeout=timeout,
        acquire_timeout=_seconds("acquire_timeout", options, faults, default=timeout),
        namespace=_namespace(options, faults),
    )
    if not read.tls and (read.ca_file or read.cert_file or read.key_file):
        faults.append("ca_file, cert_file and key_file need rediss:// or tls=true")
    if parts.fragment:
        faults.append("a # must be written as %23")
    if faults:
        raise ConfigurationError([f"{port}: the Redis URL: {fault}" for fault in faults])
    return read


def _nodes(hosts: str, default: int, faults: list[str]) -> tuple[tuple[str, int], ...]:
    nodes = []
    for host in hosts.split(","):
        try:
            parts = urlsplit(f"//{host}")
            number = default if parts.port is None else parts.port
            name = parts.hostname
        except ValueError:
            name, number = None, 0
        if not name or number < 1:
            faults.append("name a host, and a port between 1 and 65535")
            return ()
        nodes.append((name, number))
    return tuple(nodes)


def _path(path: str, topology: str, faults: list[str]) -> tuple[str, int]:
    rest = path.removeprefix("/")
    master = ""
    if topology == "sentinel":
        master, _, rest = rest.partition("/")
        if not _MASTER.fullmatch(master):
            faults.append("after the sentinels comes the name of the master: /mymaster")
    if not rest:
        return master, 0
    if not (rest.isascii() and rest.isdecimal() and len(rest) < 6):
        faults.append("the path is the number of a database, such as /0")
        return master, 0
    if topology == "cluster" and int(rest):
        faults.append("a cluster has one database only; leave the path out")
    return master, int(rest)


def _switch(name: str, options: dict[str, str], faults: list[str]) -> bool:
    value = options.get(name, "false")
    if value not in ("true", "false"):
        faults.append(f"{name} is true or false")
    return value == "true"


def _count(
    name: str, options: dict[str, str], faults: list[str], *, default: int, most: int
) -> int:
    value = options.get(name, str(default))
    if value.isascii() and value.isdecimal() and len(value) < 9 and 1 <= int(value) <= most:
        return int(value)
    faults.append(f"{name} is a whole number between 1 and {most}")
    return default


def _seconds(name: str, options: dict[str, str], faults: list[str], *, default: float) -> float:
    try:
        value = float(options.get(name, default))
    except ValueError:
        value = 0.0
    if 0 < value <= _LONGEST_TIMEOUT:
        return value
    faults.append(f"{name} is a number of seconds above 0")
    return default


def _namespace(options: dict[str, str], faults: list[str]) -> str:
    value = options.get("namespace", "tk")
    if not _NAMESPACE.fullmatch(value):
        faults.append("namespace is 1-64 letters, digits or . _ -")
    return value
