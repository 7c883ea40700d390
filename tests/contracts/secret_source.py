"""The contract of :class:`tollkeeper.ports.secret_source.SecretSource`."""

import asyncio
import pickle
import traceback
import uuid
from collections.abc import Awaitable, Callable

import pytest

from tollkeeper.contracts.contract import Contract
from tollkeeper.domain.errors import NotFound
from tollkeeper.ports.secret_source import SecretSource

Put = Callable[[str, str | None], Awaitable[None]]
"""Writes a secret behind the source, or takes it away (None)."""

TEXTS = (
    "sk-proj-0123456789_abcdefghij-ABCDEFGHIJ",
    " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ",
    "Ünïcode ✓ 🚀",
    "-----BEGIN KEY-----\nline\nline\n-----END KEY-----",
    "x" * 8192,
)


class SecretSourceContract(Contract):
    """What every source of secrets promises.

    Fixtures: ``secret_source``, and ``put``, which writes a secret behind it (see :data:`Put`).
    """

    @pytest.fixture
    def name(self) -> str:
        """Name a secret that nobody used before, as every source can."""
        return f"CONTRACT_{uuid.uuid4().hex.upper()}"

    @pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:10]))
    async def test_a_secret_comes_back_as_it_was_written(
        self, secret_source: SecretSource, put: Put, name: str, text: str
    ) -> None:
        await put(name, text)
        for _ in range(2):
            assert (await secret_source.secret(name)).reveal() == text

    async def test_an_unknown_secret_is_not_found(
        self, secret_source: SecretSource, name: str
    ) -> None:
        for _ in range(2):
            with pytest.raises(NotFound) as refused:
                await secret_source.secret(name)
            assert refused.value.code == "secret_not_found"

    async def test_each_name_has_its_own_secret(
        self, secret_source: SecretSource, put: Put, name: str
    ) -> None:
        names = [name, f"{name}_2", f"{name}_", name[:-1]]
        for each in names:
            await put(each, f"the secret of {each}")
        for each in names * 2:
            assert (await secret_source.secret(each)).reveal() == f"the secret of {each}"

    async def test_a_changed_secret_is_seen_at_once(
        self, secret_source: SecretSource, put: Put, name: str
    ) -> None:
        for text in ("first", "other", "a longer one", "other"):
            await put(name, text)
            assert (await secret_source.secret(name)).reveal() == text

    async def test_a_secret_that_is_taken_away_is_not_found(
        self, secret_source: SecretSource, put: Put, name: str
    ) -> None:
        await put(name, "once")
        await secret_source.secret(name)
        await put(name, None)
        with pytest.raises(NotFound):
            await secret_source.secret(name)
        await put(name, "again")
        assert (await secret_source.secret(name)).reveal() == "again"

    async def test_an_empty_secret_is_none(
        self, secret_source: SecretSource, put: Put, name: str
    ) -> None:
        await put(name, "")
        with pytest.raises(NotFound) as refused:
            await secret_source.secret(name)
        assert refused.value.code == "secret_not_found"

    @pytest.mark.parametrize(
        "odd",
        ["", ".", "..", "/", "a/b", "a\\b", "a\0b", "a\nb", "é", "\ud83d", "x" * 5000],
        ids=ascii,
    )
    async def test_a_name_that_no_secret_has_is_not_found(
        self, secret_source: SecretSource, odd: str
    ) -> None:
        with pytest.raises(NotFound) as refused:
            await secret_source.secret(odd)
        assert refused.value.code == "secret_not_found"
        refused.value.public_message.encode()

    async def test_a_name_does_not_lead_elsewhere(
        self, secret_source: SecretSource, put: Put, name: str
    ) -> None:
        await put(name, "here")
        for way in (f"./{name}", f"x/../{name}", f"/{name}", f"{name}/", f" {name}", name.lower()):
            with pytest.raises(NotFound):
                await secret_source.secret(way)

    async def test_nothing_shows_a_secret(
        self, secret_source: SecretSource, put: Put, name: str
    ) -> None:
        text = f"hidden-{uuid.uuid4().hex}"
        await put(name, text)
        secret = await secret_source.secret(name)
        assert text not in f"{secret} {secret!r} {secret_source} {secret_source!r}"
        with pytest.raises(TypeError):
            pickle.dumps(secret)
        with pytest.raises(NotFound) as refused:
            await secret_source.secret(f"{name}_OTHER")
        inside = refused.tb.tb_next  # the first frame is this test's own, which knows the text
        told = traceback.TracebackException(
            refused.type, refused.value, inside, capture_locals=True
        )
        assert text not in "".join(told.format())

    async def test_many_callers_at_once_get_each_what_they_asked_for(
        self, secret_source: SecretSource, put: Put, name: str
    ) -> None:
        names = [f"{name}_{n}" for n in range(16)]
        for each in names:
            await put(each, f"the secret of {each}")
        found = await asyncio.gather(*(secret_source.secret(each) for each in names * 8))
        assert [secret.reveal() for secret in found] == [f"the secret of {n}" for n in names * 8]

    @pytest.mark.parametrize("ticks", [0, 1, 2, 5, 20])
    async def test_a_caller_who_gives_up_leaves_the_source_to_others(
        self, secret_source: SecretSource, put: Put, name: str, ticks: int
    ) -> None:
        await put(name, "still here")
        tasks = [asyncio.ensure_future(secret_source.secret(name)) for _ in range(8)]
        for _ in range(ticks):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        for answer in [*answers[1::2], await secret_source.secret(name)]:
            assert not isinstance(answer, BaseException)
            assert answer.reveal() == "still here"
