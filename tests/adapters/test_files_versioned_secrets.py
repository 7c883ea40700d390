"""The source of files keeps the contract of versioned secrets."""

from pathlib import Path

import pytest

from tollkeeper.adapters.files.secret_source import FilesSecretSource
from tollkeeper.contracts.versioned_secrets import Rotate, VersionedSecretsContract, texts
from tollkeeper.domain.errors import NotFound, Unavailable
from tollkeeper.ports.versioned_secrets import VersionedSecretSource

pytestmark = pytest.mark.anyio


def replace(file: Path, text: str) -> None:
    aside = file.with_name("aside")
    aside.write_text(text)
    aside.replace(file)


class TestFilesVersionedSecrets(VersionedSecretsContract):
    """Files, each of which takes another one's place."""

    @pytest.fixture
    def versioned_secrets(self, tmp_path: Path) -> FilesSecretSource:
        return FilesSecretSource(tmp_path)

    @pytest.fixture
    def rotate(self, tmp_path: Path) -> Rotate:
        async def rotate(name: str, text: str | None) -> None:
            current, previous = tmp_path / name, tmp_path / f"{name}.previous"
            if text is None:
                current.unlink()
                previous.unlink(missing_ok=True)
                return
            if current.exists():
                replace(previous, current.read_text())
            replace(current, text)

        return rotate


class TestFilesVersionedSecretsInKubernetes(VersionedSecretsContract):
    """A folder that takes another one's place, with all that is in it."""

    @pytest.fixture
    def versioned_secrets(self, tmp_path: Path) -> FilesSecretSource:
        (tmp_path / "0").mkdir()
        (tmp_path / "now").symlink_to("0")
        return FilesSecretSource(tmp_path / "now")

    @pytest.fixture
    def rotate(self, tmp_path: Path) -> Rotate:
        kept: dict[str, str] = {}
        turns = iter(range(1, 1000))

        async def rotate(name: str, text: str | None) -> None:
            before = kept.pop(name, None)
            kept.pop(f"{name}.previous", None)
            if text is not None:
                kept[name] = text
                kept.update({f"{name}.previous": before} if before else {})
            new = tmp_path / str(next(turns))
            new.mkdir()
            for each, content in kept.items():
                (new / each).write_text(content + "\n")
            (tmp_path / "next").symlink_to(new.name)
            (tmp_path / "next").rename(tmp_path / "now")

        return rotate


def test_it_says_that_it_keeps_versions(tmp_path: Path) -> None:
    assert isinstance(FilesSecretSource(tmp_path), VersionedSecretSource)


async def test_a_previous_version_that_is_empty_is_none(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("now")
    (tmp_path / "key.previous").write_text("\n")
    assert texts(await FilesSecretSource(tmp_path).versions("key")) == ("now", None)


async def test_a_previous_version_alone_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "key.previous").write_text("before")
    with pytest.raises(NotFound):
        await FilesSecretSource(tmp_path).versions("key")


async def test_the_longest_name_of_a_file_leaves_no_room_for_a_previous_one(
    tmp_path: Path,
) -> None:
    name = "n" * 253
    (tmp_path / name).write_text("now")
    assert texts(await FilesSecretSource(tmp_path).versions(name)) == ("now", None)


async def test_a_previous_version_that_cannot_be_read_is_an_outage_and_not_none(
    tmp_path: Path,
) -> None:
    """Else keys made under it would be refused as if they were wrong."""
    (tmp_path / "key").write_text("now")
    (tmp_path / "key.previous").symlink_to("key.previous")
    with pytest.raises(Unavailable):
        await FilesSecretSource(tmp_path).versions("key")
