"""A keyring that is malformed, weak or open to others is refused; a change never loses a key."""

import base64
import multiprocessing
import os
import resource
import signal
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tollkeeper.adapters.cryptography.keyring import Keyring, kek_id
from tollkeeper.adapters.cryptography.keyring_file import (
    LARGEST_FILE,
    KeyringFile,
    add_primary,
    disable_key,
    new_keyring,
)
from tollkeeper.domain.errors import ConfigurationError, Conflict, NotFound, Unavailable
from tollkeeper.domain.secret import Secret

NOW = datetime(2001, 1, 1, 12, tzinfo=UTC)
LONG_AGO = 1_000_000_000
TWICE = os.urandom(32)
FORKING = multiprocessing.get_context("fork")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "test.keyring"
    new_keyring(path, at=NOW)
    return path


def line(
    key: bytes | None = None,
    *,
    name: str | None = None,
    state: str = "primary",
    at: str = "2001-01-01T12:00:00Z",
) -> str:
    key = os.urandom(32) if key is None else key
    return f"{name or kek_id(key)} {base64.b64encode(key).decode()} {state} {at}"


FAULTS: dict[str, tuple[Callable[[], str], str]] = {
    "nothing": (lambda: "", "it has 0 primary keys; mark exactly one"),
    "comments alone": (lambda: "# a; b\n\n#b\n", "it has 0 primary keys"),
    "no primary": (lambda: line(state="readable"), "it has 0 primary keys"),
    "two primaries": (lambda: f"{line()}\n{line()}", "it has 2 primary keys"),
    "a key twice": (
        lambda: f"{line(TWICE)};{line(TWICE, state='readable')}",
        f"the key {kek_id(TWICE)} stands in it twice",
    ),
    "three words": (lambda: "hidden hidden c", "line 1: write id, key, state and time"),
    "five words": (lambda: "#\n" + line() + " x", "line 2: write id, key, state and time"),
    "no base64": (lambda: "kek_1 hidden!! primary 2001-01-01T12:00:00Z", "is no base64 of 32"),
    "no ASCII": (lambda: "kek_1 hidd\xe9n primary 2001-01-01T12:00:00Z", "is no base64 of 32"),
    "short": (lambda: line(os.urandom(31)), "is no base64 of 32 bytes"),
    "long": (lambda: line(os.urandom(33)), "is no base64 of 32 bytes"),
    "loose base64": (lambda: line(bytes(32)).replace("A= ", "B= "), "is no base64 of 32 bytes"),
    "zeros": (lambda: line(bytes(32)), "the key is weak"),
    "one byte": (lambda: line(b"\xa5" * 32), "the key is weak"),
    "few bytes": (lambda: line(os.urandom(8) * 4), "the key is weak"),
    "counted": (lambda: line(bytes(range(32))), "the key is weak"),
    "typed": (lambda: line(b"hidden-Tr0ub4dor&3=COrREcT+hOrSe"), "the key is weak"),
    "another id": (lambda: line(name="kek_0123456789abcdef"), "the id is not this key's"),
    "odd state": (lambda: line(state="hidden"), "the state must be primary, readable or disabled"),
    "odd time": (lambda: line(at="hidden"), "the time must read like"),
    "time of no zone": (lambda: line(at="2001-01-01T12:00:00"), "the time must read like"),
    "too many": (lambda: "a b c d\n" * 101, "it has more than 100 keys"),
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_malformed_or_weak_keyring_is_refused_and_not_shown(
    text: Callable[[], str], fault: str
) -> None:
    """The fault is told by its line, the line itself by nothing (T23)."""
    written = Secret(text())
    with pytest.raises(ConfigurationError) as refused:
        Keyring.parse(written, name="test.keyring")
    assert fault in refused.value.public_message
    assert all(each.startswith("key_encryption: test.keyring: ") for each in refused.value.faults)
    told = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    shown = "".join(told.format())
    assert "hidden" not in shown
    keys = [word for word in written.reveal().split() if len(word) > 40]
    assert not any(key in shown for key in keys)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        Keyring.parse(Secret(f"x\n{line(bytes(32))}\n{line(at='x')}"), name="a")
    assert len(refused.value.faults) == 3


def test_a_keyring_reads_as_it_was_written() -> None:
    ring = Keyring.new(at=NOW)
    for day in range(1, 5):
        zone = timezone(timedelta(hours=2))
        ring = ring.with_new_primary(at=(NOW + timedelta(days=day)).astimezone(zone))
    ring = ring.with_disabled(ring.keys[-1].id)
    text = ring.text()
    assert Keyring.parse(text, name="a") == ring
    one_line = text.reveal().replace("\n", ";") + "\n"
    windows = text.reveal().replace("\n", "\r\n")
    for other in (one_line, windows):
        assert Keyring.parse(Secret(other), name="a") == ring
    assert [key.state for key in ring.keys] == ["primary", *["readable"] * 3, "disabled"]


def test_nothing_shows_a_key() -> None:
    ring = Keyring.new(at=NOW)
    key = ring.primary.text.reveal()
    assert key not in f"{ring!r} {ring} {ring.primary!r} {ring.text()!r}"
    assert ring.primary.id in repr(ring)
    assert base64.b64decode(key).hex()[:8] not in ring.primary.id


def test_a_full_keyring_takes_no_more() -> None:
    ring = Keyring.new(at=NOW)
    for _ in range(99):
        ring = ring.with_new_primary(at=NOW)
    assert len(Keyring.parse(ring.text(), name="a").keys) == 100
    with pytest.raises(Conflict) as refused:
        ring.with_new_primary(at=NOW)
    assert refused.value.code == "keyring_full"


def test_a_new_keyring_is_for_its_owner_alone(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    ring = KeyringFile(path).read()
    assert [key.state for key in ring.keys] == ["primary"]
    assert ring.primary.created_at == NOW
    assert os.listdir(path.parent) == [path.name]


def test_a_keyring_is_never_overwritten(path: Path) -> None:
    before = path.read_bytes()
    dangling = path.with_name("dangling")
    dangling.symlink_to("missing")
    for taken in (path, dangling, path.parent):
        with pytest.raises(Conflict) as refused:
            new_keyring(taken, at=NOW)
        assert refused.value.code == "keyring_exists"
    assert path.read_bytes() == before


def test_a_new_primary_leaves_the_former_readable(path: Path) -> None:
    first = KeyringFile(path).read().primary
    second = add_primary(path, at=NOW)
    ring = KeyringFile(path).read()
    assert ring.primary.id == second != first.id
    assert [key.id for key in ring.keys] == [second, first.id]
    assert ring.keys[1].text == first.text
    assert path.stat().st_mode & 0o777 == 0o600
    disable_key(path, first.id)
    assert [key.state for key in KeyringFile(path).read().keys] == ["primary", "disabled"]
    with pytest.raises(Conflict, match="add a new primary first"):
        disable_key(path, second)
    with pytest.raises(NotFound):
        disable_key(path, "kek_0")


def test_a_link_stays_a_link(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path.name)
    added = add_primary(link, at=NOW)
    assert link.is_symlink()
    assert KeyringFile(path).read().primary.id == added


def test_two_changes_at_once_lose_no_key(path: Path) -> None:
    """Each process adds ten keys; a lost one would have wrapped data that nobody reads again."""
    processes = [FORKING.Process(target=add_keys, args=(path, 10)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    assert len(KeyringFile(path).read().keys) == 31
    assert os.listdir(path.parent) == [path.name]


def add_keys(path: Path, count: int) -> None:
    for _ in range(count):
        add_primary(path, at=NOW)


def test_a_process_that_is_killed_leaves_a_whole_keyring(path: Path) -> None:
    """At whatever step: what can be read is the keyring before or after a change (T22)."""
    first = KeyringFile(path).read().primary.id
    grown = 0
    for turn in range(12):
        before = [key.id for key in KeyringFile(path).read().keys]
        process = FORKING.Process(target=add_keys, args=(path, 8))
        process.start()
        process.join(30 if turn == 11 else turn / 500)  # the last one is left to finish
        process.kill()
        process.join(30)
        after = [key.id for key in KeyringFile(path).read().keys]
        assert after[len(after) - len(before) :] == before
        assert after[-1] == first
        grown += len(after) - len(before)
    assert 8 <= grown < 96


def test_a_change_that_cannot_be_written_leaves_the_file_as_it_was(path: Path) -> None:
    before = path.read_bytes()
    path.write_bytes(before + b"x\n")
    with pytest.raises(ConfigurationError):
        add_primary(path, at=NOW)
    assert path.read_bytes() == before + b"x\n"
    for gone in (path.parent / "gone" / "a", path / "a"):
        with pytest.raises(Unavailable):
            new_keyring(gone, at=NOW)
        with pytest.raises(Unavailable):
            add_primary(gone, at=NOW)
    assert os.listdir(path.parent) == [path.name]


def test_a_full_disk_leaves_the_keyring_as_it_was(path: Path) -> None:
    before = path.read_bytes()
    process = FORKING.Process(target=add_key_without_room, args=(path,))
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def add_key_without_room(path: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
    with pytest.raises(Unavailable):
        add_primary(path, at=NOW)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o602, 0o644, 0o666])
def test_a_keyring_that_others_may_use_is_refused(path: Path, mode: int) -> None:
    file = KeyringFile(path)
    file.read()
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="run chmod 600 on it"):
        file.read()
    path.chmod(0o400)
    file.read()


def test_what_is_no_keyring_file_is_refused(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"), 0o600)
    path.with_name("folder").mkdir(0o700)
    path.with_name("device").symlink_to("/dev/zero")
    for name in ("pipe", "folder", "device"):
        with pytest.raises(ConfigurationError, match="is no file; name a keyring"):
            KeyringFile(path.with_name(name)).read()
    for content in (b"\xff", "ab".encode("utf-16"), b"#" * (LARGEST_FILE + 1)):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="is no text in UTF-8"):
            KeyringFile(path).read()


def test_a_file_that_stays_is_read_once(path: Path) -> None:
    file = KeyringFile(path)
    os.utime(path, (LONG_AGO, LONG_AGO))
    first = file.read()
    assert file.read() is first
    add_primary(path, at=NOW)
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert file.read() is not first


def test_a_file_that_was_just_written_is_not_trusted_to_stay(path: Path) -> None:
    """Two changes of one size within a tick of the file system's clock look like one."""
    file = KeyringFile(path)
    now = path.stat().st_mtime_ns
    first = file.read().primary.id
    path.write_bytes(Keyring.new(at=NOW).text().reveal().encode())
    os.utime(path, ns=(now, now))
    assert file.read().primary.id != first
