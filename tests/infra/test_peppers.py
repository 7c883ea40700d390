"""A pepper is given, or made once and kept safe."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.domain.key_tokens import Pepper
from tollkeeper.domain.secret import Secret
from tollkeeper.infra.bootstrap import make_container, make_facade
from tollkeeper.infra.peppers import peppers_of
from tollkeeper.infra.settings import Settings

CURRENT = "0123456789abcdef0123456789abcdef"
RETIRED = ("fedcba9876543210fedcba9876543210", "00112233445566778899aabbccddeeff")


def beside(path: Path) -> Settings:
    return Settings(store=f"sqlite:///{path}")


def refusal(settings: Settings) -> str:
    with pytest.raises(ConfigurationError) as refused:
        peppers_of(settings)
    return str(refused.value)


def test_given_peppers_come_current_first_and_touch_no_file(tmp_path: Path) -> None:
    settings = Settings(
        store=f"sqlite:///{tmp_path}/app.db",
        key_pepper=Secret(CURRENT),
        retired_key_peppers=tuple(map(Secret, RETIRED)),
    )
    assert peppers_of(settings) == tuple(Pepper(p.encode()) for p in (CURRENT, *RETIRED))
    assert not [*tmp_path.iterdir()]


def test_a_pepper_is_kept_beside_the_database_for_its_owner_alone(tmp_path: Path) -> None:
    (made,) = peppers_of(beside(tmp_path / "app.db"))
    file = tmp_path / "app.pepper"
    assert [*tmp_path.iterdir()] == [file]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert bytes.fromhex(file.read_text()) == made.value
    assert len(made.value) == 32
    assert peppers_of(beside(tmp_path / "app.db")) == (made,)


def test_each_database_has_its_own(tmp_path: Path) -> None:
    (one,) = peppers_of(beside(tmp_path / "one.db"))
    (other,) = peppers_of(beside(tmp_path / "other.db"))
    assert one != other


def test_the_folder_is_read_from_the_url_as_the_store_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "my data"
    folder.mkdir()
    peppers_of(Settings(store=f"sqlite:///{tmp_path}/my%20data/app.db"))
    assert (folder / "app.pepper").exists()


def test_a_store_in_memory_gets_a_new_one_each_time() -> None:
    (one,), (other,) = (
        peppers_of(Settings(store="memory://")),
        peppers_of(Settings(store="memory://")),
    )
    assert one != other


STARTING = """
import sys
from tollkeeper.infra.peppers import peppers_of
from tollkeeper.infra.settings import Settings
settings = Settings(store=f"sqlite:///{sys.argv[1]}/app.db")
print("ready", flush=True)
sys.stdin.readline()
print(peppers_of(settings)[0].value.hex())
"""


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", STARTING, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = {process.communicate()[0] for process in processes}
    assert len(answers) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["app.pepper"]
    assert answers == {(tmp_path / "app.pepper").read_text() + "\n"}


@pytest.mark.parametrize(
    "content",
    [b"", b"zz" * 32, b"ab" * 31, b"ab" * 33, b"\xff" * 64, b"ab" * 31 + b"a", b"\0" * 64],
    ids=lambda content: repr(content)[:20],
)
def test_a_damaged_file_is_never_taken_for_a_new_beginning(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "app.pepper"
    file.write_bytes(content)
    text = refusal(beside(tmp_path / "app.db"))
    assert "app.pepper is damaged; restore it from a backup" in text
    assert file.read_bytes() == content


def test_a_folder_that_cannot_take_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for place in (tmp_path / "missing" / "app.db", tmp_path / "file" / "app.db"):
        text = refusal(beside(place))
        assert "cannot keep a key pepper in app.pepper" in text
        assert "TOLLKEEPER_KEY_PEPPER" in text
        assert str(tmp_path) not in text


def test_a_folder_in_its_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "app.pepper").mkdir()
    assert "cannot keep a key pepper" in refusal(beside(tmp_path / "app.db"))


AS_NOBODY = """
import os
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.infra.peppers import peppers_of
from tollkeeper.infra.settings import Settings
settings = Settings(store="sqlite:///app.db")
if os.geteuid() == 0:  # root may write anywhere
    os.setegid(65534)
    os.seteuid(65534)
try:
    peppers_of(settings)
except ConfigurationError as error:
    print(error)
"""


def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    run = subprocess.run(
        [sys.executable, "-c", AS_NOBODY], cwd=locked, capture_output=True, text=True
    )
    assert "cannot keep a key pepper in app.pepper (Permission denied)" in run.stdout, run.stderr


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite://", "sqlite:////"])
def test_a_url_without_a_file_is_said(url: str) -> None:
    assert "names no file" in refusal(Settings(store=url))


@pytest.mark.parametrize("environment", ["local", "test"])
def test_lent_keys_need_a_pepper_that_is_set(tmp_path: Path, environment: str) -> None:
    store = MemoryStore()
    elsewhere = Settings(environment=environment, store=f"sqlite:///{tmp_path}/app.db")
    with pytest.raises(ConfigurationError, match="key_pepper: a lent store needs one"):
        make_container(elsewhere, store=store)
    with pytest.raises(ConfigurationError, match="key_pepper: a lent store needs one"):
        make_container(elsewhere, key_store=store.key_store)
    assert not [*tmp_path.iterdir()]


def test_lent_keys_with_a_pepper_or_in_memory_write_no_file(tmp_path: Path) -> None:
    beside_it = Settings(store=f"sqlite:///{tmp_path}/app.db", key_pepper=Secret(CURRENT))
    for settings in (beside_it, Settings(store="memory://")):
        make_facade(make_container(settings, store=MemoryStore()))
    assert not [*tmp_path.iterdir()]
