"""The contract of :class:`tollkeeper.ports.versioned_secrets.VersionedSecretSource`."""

import asyncio
import traceback
import uuid
from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.errors import NotFound
from tollkeeper.domain.secret_versions import SecretVersions
from tollkeeper.ports.secret_source import SecretSource
from tollkeeper.ports.versioned_secrets import VersionedSecretSource

Rotate = Callable[[str, str | None], Awaitable[None]]
"""Makes a text the current version behind the source, and what was current the previous one, in
one step; None takes the secret away with all its versions."""


class Versioned(SecretSource, VersionedSecretSource, Protocol):
    """A source that keeps versions keeps secrets as well."""


def texts(versions: SecretVersions) -> tuple[str, str | None]:
    """Reveal *versions*."""
    previous = versions.previous
    return versions.current.reveal(), None if previous is None else previous.reveal()


class VersionedSecretsContract(Contract):
    """What every source that keeps versions of secrets promises, beside ``SecretSourceContract``.

    Fixtures: ``versioned_secrets``, and ``rotate``, which writes behind it (see :data:`Rotate`).
    """

    @pytest.fixture
    def name(self) -> str:
        """Name a secret that nobody used before, as every source can."""
        return f"CONTRACT_{uuid.uuid4().hex.upper()}"

    async def test_a_secret_that_never_changed_has_no_previous_version(
        self, versioned_secrets: Versioned, rotate: Rotate, name: str
    ) -> None:
        await rotate(name, "first")
        for _ in range(2):
            assert texts(await versioned_secrets.versions(name)) == ("first", None)

    async def test_what_was_current_becomes_the_previous_version(
        self, versioned_secrets: Versioned, rotate: Rotate, name: str
    ) -> None:
        await rotate(name, " Ünïcode ✓ ")
        await rotate(name, "-----BEGIN-----\nline\n-----END-----")
        found = await versioned_secrets.versions(name)
        assert texts(found) == ("-----BEGIN-----\nline\n-----END-----", " Ünïcode ✓ ")

    async def test_only_the_last_but_one_is_the_previous_version(
        self, versioned_secrets: Versioned, rotate: Rotate, name: str
    ) -> None:
        for text in ("first", "second", "third"):
            await rotate(name, text)
        assert texts(await versioned_secrets.versions(name)) == ("third", "second")

    async def test_each_change_is_seen_at_once(
        self, versioned_secrets: Versioned, rotate: Rotate, name: str
    ) -> None:
        before = None
        for text in ("first", "other", "a longer one", "other"):
            await rotate(name, text)
            assert texts(await versioned_secrets.versions(name)) == (text, before)
            before = text

    async def test_the_current_version_is_what_the_source_hands_out(
        self, versioned_secrets: Versioned, rotate: Rotate, name: str
    ) -> None:
        for text in ("first", "second"):
            await rotate(name, text)
            current = (await versioned_secrets.versions(name)).current
            assert current == await versioned_secrets.secret(name)
            assert current.reveal() == text

    async def test_the_same_text_again_is_no_previous_version(
        self, versioned_secrets: Versioned, rotate: Rotate, name: str
    ) -> None:
        await rotate(name, "same")
        await rotate(name, "same")
        assert texts(await versioned_secrets.versions(name)) == ("same", None)

    async def test_each_name_has_its_own_versions(
        self, versioned_secrets: Versioned, rotate: Rotate, name: str
    ) -> None:
        names = [name, f"{name}_2", name[:-1]]
        for turn in ("first", "second"):
            for each in names:
                await rotate(each, f"the {turn} of {each}")
        for each in names:
            found = await versioned_secrets.versions(each)
            assert texts(found) == (f"the second of {each}", f"the first of {each}")

    async def test_an_unknown_secret_is_not_found(
        self, versioned_secrets: Versioned, name: str
    ) -> None:
        for unknown in (name, "", "..", "a/../b", "a\nb", "é", "\ud83d", "x" * 5000):
            with pytest.raises(NotFound) as refused:
                await versioned_secrets.versions(unknown)
            assert refused.value.code == "secret_not_found"
            refused.value.public_message.encode()

    async def test_a_secret_that_is_taken_away_takes_its_versions_along(
        self, versioned_secrets: Versioned, rotate: Rotate, name: str
    ) -> None:
        await rotate(name, "first")
        await rotate(name, "second")
        await versioned_secrets.versions(name)
        await rotate(name, None)
        with pytest.raises(NotFound):
            await versioned_secrets.versions(name)
        await rotate(name, "again")
        assert texts(await versioned_secrets.versions(name)) == ("again", None)

    async def test_the_two_versions_belong_together(
        self, versioned_secrets: Versioned, rotate: Rotate, name: str
    ) -> None:
        await rotate(name, "1")
        over = asyncio.Event()

        async def turn() -> None:
            for number in range(2, 9):
                await rotate(name, str(number))
                await asyncio.sleep(0)
            over.set()

        async def watch() -> None:
            while not over.is_set():
                current, previous = texts(await versioned_secrets.versions(name))
                assert previous is None or int(previous) == int(current) - 1
                await asyncio.sleep(0)

        await asyncio.gather(turn(), watch(), watch())
        assert texts(await versioned_secrets.versions(name)) == ("8", "7")

    async def test_nothing_shows_a_version(
        self, versioned_secrets: Versioned, rotate: Rotate, name: str
    ) -> None:
        canary = f"hidden-{uuid.uuid4().hex}"
        await rotate(name, f"{canary}-1")
        await rotate(name, f"{canary}-2")
        found = await versioned_secrets.versions(name)
        assert canary not in f"{found} {found!r} {versioned_secrets} {versioned_secrets!r}"
        with pytest.raises(NotFound) as refused:
            await versioned_secrets.versions(f"{name}_OTHER")
        inside = refused.tb.tb_next  # the first frame is this test's own, which knows the text
        told = traceback.TracebackException(
            refused.type, refused.value, inside, capture_locals=True
        )
        assert canary not in "".join(told.format())

    @pytest.mark.parametrize("ticks", [0, 1, 3, 10])
    async def test_a_caller_who_gives_up_leaves_the_source_to_others(
        self, versioned_secrets: Versioned, rotate: Rotate, name: str, ticks: int
    ) -> None:
        await rotate(name, "first")
        await rotate(name, "second")
        tasks = [asyncio.ensure_future(versioned_secrets.versions(name)) for _ in range(6)]
        for _ in range(ticks):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        for answer in [*answers[1::2], await versioned_secrets.versions(name)]:
            assert not isinstance(answer, BaseException)
            assert texts(answer) == ("second", "first")
