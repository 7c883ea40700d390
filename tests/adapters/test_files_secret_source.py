"""The source of files keeps the contract, on real files as Docker and Kubernetes mount them."""

import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from tollkeeper.adapters.files.secret_source import LARGEST_FILE, FilesSecretSource
from tollkeeper.contracts.secret_source import Put, SecretSourceContract
from tollkeeper.domain.errors import ConfigurationError, NotFound, Unavailable
from tollkeeper.ports.health import HealthCheck

pytestmark = pytest.mark.anyio
LONG_AGO = 1_000_000_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def source(tmp_path: Path) -> FilesSecretSource:
    return FilesSecretSource.from_url(f"file://{tmp_path}")


def write(file: Path, content: str | bytes) -> None:
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def age(file: Path) -> None:
    os.utime(file, (LONG_AGO, LONG_AGO))


class TestFilesSecretSource(SecretSourceContract):
    """Files that are written over."""

    @pytest.fixture
    def secret_source(self, tmp_path: Path) -> FilesSecretSource:
        return FilesSecretSource(tmp_path)

    @pytest.fixture
    def put(self, tmp_path: Path) -> Put:
        async def put(name: str, text: str | None) -> None:
            if text is None:
                (tmp_path / name).unlink()
            else:
                write(tmp_path / name, text)

        return put


class TestFilesSecretSourceInKubernetes(SecretSourceContract):
    """Links to links, all of which change when one folder takes the place of another."""

    @pytest.fixture
    def secret_source(self, tmp_path: Path) -> FilesSecretSource:
        return FilesSecretSource(tmp_path)

    @pytest.fixture
    def put(self, tmp_path: Path) -> Put:
        kept: dict[str, str] = {}
        turns = iter(range(1000))

        async def put(name: str, text: str | None) -> None:
            kept.pop(name, None)
            if text is not None:
                kept[name] = text
            swap(tmp_path, kept, f"..{next(turns)}")

        return put


def swap(folder: Path, secrets: dict[str, str], name: str) -> None:
    """Put *secrets* in the place of those that were there, in one step."""
    new = folder / name
    new.mkdir()
    for each, text in secrets.items():
        write(new / each, text + "\n")
        age(new / each)
        link = folder / each
        if not link.is_symlink():
            link.symlink_to(Path("..data") / each)
    (folder / "..data_tmp").symlink_to(name)
    (folder / "..data_tmp").rename(folder / "..data")


@pytest.mark.parametrize(
    ("content", "text"),
    [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a "), ("a", "a"), ("\na", "\na")],
)
async def test_one_line_end_is_cut_off(
    source: FilesSecretSource, tmp_path: Path, content: str, text: str
) -> None:
    write(tmp_path / "key", content)
    assert (await source.secret("key")).reveal() == text


@pytest.mark.parametrize("content", ["", "\n", "\r\n"])
async def test_a_file_of_nothing_is_no_secret(
    source: FilesSecretSource, tmp_path: Path, content: str
) -> None:
    write(tmp_path / "key", content)
    with pytest.raises(NotFound):
        await source.secret("key")


async def test_a_file_that_stays_is_read_once(source: FilesSecretSource, tmp_path: Path) -> None:
    write(tmp_path / "key", "sk-1")
    age(tmp_path / "key")
    first = await source.secret("key")
    assert await source.secret("key") is first


async def test_a_file_that_was_just_written_is_not_trusted_to_stay(
    source: FilesSecretSource, tmp_path: Path
) -> None:
    """Two changes of one size within a tick of the file system's clock look like one."""
    write(tmp_path / "key", "sk-1")
    now = (tmp_path / "key").stat().st_mtime_ns
    await source.secret("key")
    write(tmp_path / "key", "sk-2")
    os.utime(tmp_path / "key", ns=(now, now))
    assert (await source.secret("key")).reveal() == "sk-2"


async def test_a_file_replaced_by_one_of_the_same_age_is_seen(
    source: FilesSecretSource, tmp_path: Path
) -> None:
    for name in ("key", "new"):
        write(tmp_path / name, f"{name} sk")
        age(tmp_path / name)
    assert (await source.secret("key")).reveal() == "key sk"
    (tmp_path / "new").rename(tmp_path / "key")
    assert (await source.secret("key")).reveal() == "new sk"


async def test_a_link_may_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "out", "sk-1")
    (tmp_path / "in" / "key").symlink_to(tmp_path / "out")
    assert (await FilesSecretSource(tmp_path / "in").secret("key")).reveal() == "sk-1"


async def test_a_name_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "out", "sk-1")
    source = FilesSecretSource(tmp_path / "in")
    for name in ("../out", f"{tmp_path}/out", "..\\out", "x/../../out", "%2e%2e/out"):
        with pytest.raises(NotFound):
            await source.secret(name)


async def test_what_is_no_file_is_no_secret(source: FilesSecretSource, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "nowhere").symlink_to("missing")
    for name in ("folder", "pipe", "device", "nowhere"):
        with pytest.raises(NotFound):
            await source.secret(name)


async def test_a_folder_that_is_not_there_is_an_outage_and_no_answer(tmp_path: Path) -> None:
    write(tmp_path / "file", "x")
    for folder in (tmp_path / "missing", tmp_path / "file"):
        source = FilesSecretSource(folder)
        for use in (lambda s=source: s.secret("key"), source.health):
            with pytest.raises(Unavailable, match="check that it is mounted") as failed:
                await use()
            assert (failed.value.port, failed.value.adapter) == ("secret_source", "files")
            assert str(tmp_path) not in failed.value.public_message


async def test_a_file_that_cannot_be_read_is_an_outage(
    source: FilesSecretSource, tmp_path: Path
) -> None:
    (tmp_path / "circle").symlink_to("circle")
    # Nothing is mapped at its beginning, so that reading fails, even for the superuser.
    (tmp_path / "broken").symlink_to("/proc/self/mem")
    for name in ("circle", "broken"):
        with pytest.raises(Unavailable):
            await source.secret(name)


BAD: dict[str, Callable[[bytes], bytes]] = {
    "no UTF-8": lambda secret: secret + b"\xff",
    "UTF-16": lambda secret: secret.decode().encode("utf-16"),
    "too large": lambda secret: secret * LARGEST_FILE,
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
async def test_a_file_that_is_no_text_is_a_fault_of_the_wiring_and_is_not_shown(
    source: FilesSecretSource, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    write(tmp_path / "key", spoil(b"sk-hidden"))
    with pytest.raises(ConfigurationError, match="the file key is no text in UTF-8") as failed:
        await source.secret("key")
    told = traceback.TracebackException.from_exception(failed.value, capture_locals=True)
    shown = "".join(told.format())
    assert "hidden" not in shown
    assert "h\\x00i" not in shown


async def test_a_file_of_the_largest_size_is_read(
    source: FilesSecretSource, tmp_path: Path
) -> None:
    write(tmp_path / "key", "x" * LARGEST_FILE)
    assert len((await source.secret("key")).reveal()) == LARGEST_FILE


async def test_health_tells_the_folder_and_no_secret(
    source: FilesSecretSource, tmp_path: Path
) -> None:
    write(tmp_path / "key", "sk-hidden")
    (tmp_path / "folder").mkdir()
    assert isinstance(source, HealthCheck)
    assert await source.health() == f"the folder {tmp_path.name}, 1 files"


@pytest.mark.parametrize(
    "url",
    [
        "file:",
        "file://",
        "file://host/run/secrets",
        "file:./secrets",
        "file:///run/secrets?a=b",
        "file:///run/secrets#a",
        "file:///run/a%00b",
        "file://[/run",
        "files:///run/secrets",
        "/run/secrets",
    ],
)
def test_url_that_names_no_folder_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="write file:///run/secrets"):
        FilesSecretSource.from_url(url)


async def test_url_may_be_quoted(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    write(tmp_path / "a b" / "key", "sk-1")
    source = FilesSecretSource.from_url(f"file://{tmp_path}/a%20b")
    assert (await source.secret("key")).reveal() == "sk-1"
