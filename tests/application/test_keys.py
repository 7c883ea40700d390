"""Issuing, checking, rotating and revoking keys."""

from datetime import timedelta
from pathlib import Path
from traceback import TracebackException
from typing import Any

import pytest

from tests.application.world import open_world
from tollkeeper import Principal
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.adapters.memory.key_store import MemoryKeyStore
from tollkeeper.adapters.memory.store import MemoryStore
from tollkeeper.domain.api_keys import ApiKey
from tollkeeper.domain.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from tollkeeper.domain.key_tokens import encode_token
from tollkeeper.domain.secret import Secret

pytestmark = pytest.mark.anyio
CHAT = frozenset({"chat:complete"})


async def test_an_issued_key_stands_for_its_account_and_scopes(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        issued = await world.tk.issue_key(account="acme", scopes=CHAT, name="web")
        principal = await world.tk.authenticate_key(issued.token)
        assert principal == Principal(account="acme", scopes=CHAT, key_id=issued.key.id)
        assert await world.tk.authenticate_key(issued.token.reveal()) == principal
        assert issued.token.reveal() not in repr(issued)


async def test_one_answer_for_malformed_unknown_and_wrong_keys(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world, open_world(tmp_path) as other:
        mine = (await world.tk.issue_key(account="acme", scopes=CHAT)).token.reveal()
        foreign = (await other.tk.issue_key(account="acme", scopes=CHAT)).token.reveal()
        texts = set()
        for token in (foreign, mine[:-1], mine.swapcase(), "", "nonsense", "\0" * 75, "é" * 75):
            with pytest.raises(Unauthenticated) as caught:
                await world.tk.authenticate_key(token)
            texts.add((str(caught.value), caught.value.code))
        assert len(texts) == 1


async def test_a_revoked_key_is_refused_at_once_in_every_facade(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/keys.db"
    async with (
        open_world(tmp_path, store=store) as here,
        open_world(tmp_path, store=store) as there,
    ):
        issued = await here.tk.issue_key(account="acme", scopes=CHAT)
        await there.tk.authenticate_key(issued.token)
        revoked = await here.tk.revoke_key(account="acme", key_id=issued.key.id)
        with pytest.raises(Unauthenticated) as caught:
            await there.tk.authenticate_key(issued.token)
        assert caught.value.code == "key_revoked"
        assert await here.tk.revoke_key(account="acme", key_id=issued.key.id) == revoked


async def test_keys_expire_by_the_clock(tmp_path: Path) -> None:
    clock = MemoryClock()
    async with open_world(tmp_path, clock=clock) as world:
        issued = await world.tk.issue_key(
            account="acme", scopes=CHAT, expires_in=timedelta(hours=1)
        )
        clock.advance(timedelta(minutes=59))
        await world.tk.authenticate_key(issued.token)
        clock.advance(timedelta(minutes=1))
        with pytest.raises(Unauthenticated) as caught:
            await world.tk.authenticate_key(issued.token)
        assert caught.value.code == "key_expired"
        with pytest.raises(Conflict):
            await world.tk.rotate_key(account="acme", key_id=issued.key.id)


async def test_both_secrets_work_during_the_overlap_and_one_after_it(tmp_path: Path) -> None:
    clock = MemoryClock()
    async with open_world(tmp_path, clock=clock) as world:
        old = await world.tk.issue_key(account="acme", scopes=CHAT)
        new = await world.tk.rotate_key(
            account="acme", key_id=old.key.id, overlap=timedelta(hours=1)
        )
        assert new.key.id == old.key.id
        for token in (old.token, new.token):
            assert (await world.tk.authenticate_key(token)).key_id == old.key.id
        clock.advance(timedelta(hours=1))
        await world.tk.authenticate_key(new.token)
        with pytest.raises(Unauthenticated):
            await world.tk.authenticate_key(old.token)


async def test_nobody_issues_more_than_they_have(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        issuer = Principal(account="acme", scopes=frozenset({"chat:complete", "keys:write"}))
        await world.tk.issue_key(account="acme", scopes=CHAT, issuer=issuer)
        with pytest.raises(PermissionDenied):
            await world.tk.issue_key(account="acme", scopes={"audio:transcribe"}, issuer=issuer)
        with pytest.raises(PermissionDenied):
            await world.tk.issue_key(account="other", scopes=CHAT, issuer=issuer)
        assert len(await world.tk.list_keys(account="acme")) == 1


async def test_another_accounts_key_is_not_found(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        issued = await world.tk.issue_key(account="acme", scopes=CHAT)
        with pytest.raises(NotFound):
            await world.tk.revoke_key(account="other", key_id=issued.key.id)
        with pytest.raises(NotFound):
            await world.tk.rotate_key(account="other", key_id=issued.key.id)
        assert await world.tk.list_keys(account="other") == ()
        await world.tk.authenticate_key(issued.token)


@pytest.mark.parametrize(
    "arguments",
    [
        {"account": ""},
        {"account": "a b"},
        {"account": 5},
        {"scopes": set()},
        {"scopes": "chat:complete"},
        {"scopes": {"chat"}},
        {"scopes": {5}},
        {"name": "line\nbreak"},
        {"name": "n" * 300},
        {"expires_in": timedelta(0)},
        {"expires_in": 5},
        {"actor": "\0"},
    ],
    ids=str,
)
async def test_bad_input_issues_nothing(tmp_path: Path, arguments: dict[str, object]) -> None:
    async with open_world(tmp_path) as world:
        with pytest.raises(InvalidRequest):
            await world.tk.issue_key(**{"account": "acme", "scopes": CHAT, **arguments})  # type: ignore[arg-type]
        assert await world.tk.list_keys(account="acme") == ()


async def test_use_is_noted_once_a_minute(tmp_path: Path) -> None:
    clock = MemoryClock()
    async with open_world(tmp_path, clock=clock) as world:
        issued = await world.tk.issue_key(account="acme", scopes=CHAT)
        first = clock.now()
        await world.tk.authenticate_key(issued.token)
        clock.advance(timedelta(seconds=30))
        await world.tk.authenticate_key(issued.token)
        await world.tk.authenticate_key.uses.write()
        assert [key.last_used_at for key in await world.tk.list_keys(account="acme")] == [first]
        clock.advance(timedelta(seconds=30))
        await world.tk.authenticate_key(issued.token)
        await world.tk.authenticate_key.uses.write()
        keys = await world.tk.list_keys(account="acme")
        assert [key.last_used_at for key in keys] == [clock.now()]


async def test_the_audit_log_tells_who_changed_what(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        issued = await world.tk.issue_key(account="acme", scopes=CHAT, actor="ann")
        await world.tk.rotate_key(account="acme", key_id=issued.key.id, actor="bob")
        await world.tk.revoke_key(account="acme", key_id=issued.key.id, actor="cid")
        await world.tk.revoke_key(account="acme", key_id=issued.key.id, actor="dan")

        entries = await world.tk.list_audit(account="acme")
        assert [(entry.actor, entry.action) for entry in entries] == [
            ("ann", "key.issued"),
            ("bob", "key.rotated"),
            ("cid", "key.revoked"),
        ]
        assert issued.token.reveal() not in repr(entries)
        page = await world.tk.list_audit(account="acme", after=entries[0].id, limit=1)
        assert page == entries[1:2]
        with pytest.raises(InvalidRequest):
            await world.tk.list_audit(account="acme", limit=0)


@pytest.mark.parametrize("issuer", ["acme", 0, 5, "", b"key", {"account": "acme"}], ids=repr)
async def test_an_issuer_is_a_principal(tmp_path: Path, issuer: Any) -> None:
    async with open_world(tmp_path) as world:
        with pytest.raises(InvalidRequest):
            await world.tk.issue_key(account="acme", scopes=CHAT, issuer=issuer)
        assert await world.tk.list_keys(account="acme") == ()


@pytest.mark.parametrize("token", [None, 5, b"tk_test_key", [], object], ids=repr)
async def test_what_is_no_text_is_no_key(tmp_path: Path, token: Any) -> None:
    async with open_world(tmp_path) as world:
        with pytest.raises(Unauthenticated):
            await world.tk.authenticate_key(token)


async def test_a_forged_secret_of_a_known_key_is_refused_like_an_unknown_key(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        issued = await world.tk.issue_key(account="acme", scopes=CHAT)
        kid = issued.key.secrets[0].kid
        answers = set()
        for token in (
            encode_token("tk_test", kid, b"\x01" * 32),
            encode_token("tk_live", kid, b"\x01" * 32),
            "tk_live" + issued.token.reveal().removeprefix("tk_test"),
            encode_token("tk_test", "0" * 16, b"\x01" * 32),
        ):
            with pytest.raises(Unauthenticated) as caught:
                await world.tk.authenticate_key(token)
            answers.add((type(caught.value), str(caught.value), caught.value.code))
            assert caught.value.__cause__ is None
        assert answers == {(Unauthenticated, "the API key is not valid", "unauthenticated")}
        (key,) = await world.tk.list_keys(account="acme")
        assert key.last_used_at is None
        assert (await world.tk.authenticate_key(issued.token)).key_id == issued.key.id


class BrokenKeyStore(MemoryKeyStore):
    """Keeps keys, and cannot find them."""

    async def find(self, kid: str) -> ApiKey | None:
        key = await super().find(kid)
        assert key is not None
        raise Unavailable("the store is away", port="key_store", adapter="broken")


def shown_by(caught: "pytest.ExceptionInfo[BaseException]") -> str:
    """The traceback with the locals of every frame but that of the test."""
    below = caught.tb.tb_next
    found = TracebackException(type(caught.value), caught.value, below, capture_locals=True)
    return "".join(found.format())


@pytest.mark.parametrize("kind", [str, Secret])
async def test_no_traceback_shows_a_key(tmp_path: Path, kind: type[str] | type[Secret]) -> None:
    broken = BrokenKeyStore(MemoryStore().database)
    async with open_world(tmp_path) as world, open_world(tmp_path, key_store=broken) as away:
        issued = await world.tk.issue_key(account="acme", scopes=CHAT)
        unfound = await away.tk.issue_key(account="acme", scopes=CHAT)
        with pytest.raises(Unavailable) as failed:
            await away.tk.authenticate_key(kind(unfound.token.reveal()))
        shown = shown_by(failed)
        assert "kid = " in shown
        assert unfound.token.reveal()[-40:] not in shown
        verifier = unfound.key.secrets[0].verifier
        assert verifier.hex() not in shown
        assert repr(verifier)[2:-1] not in shown

        forged = encode_token("tk_test", issued.key.secrets[0].kid, b"\x01" * 32)
        mistyped = issued.token.reveal()[:-1] + "-"
        for token in (forged, mistyped):
            with pytest.raises(Unauthenticated) as refused:
                await world.tk.authenticate_key(kind(token))
            assert token[-40:] not in shown_by(refused)

        await world.tk.revoke_key(account="acme", key_id=issued.key.id)
        with pytest.raises(Unauthenticated) as ended:
            await world.tk.authenticate_key(kind(issued.token.reveal()))
        assert issued.token.reveal()[-40:] not in shown_by(ended)
