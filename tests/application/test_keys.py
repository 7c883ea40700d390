"""Issuing, checking, rotating and revoking keys."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.application.world import open_world
from tollkeeper import Principal
from tollkeeper.adapters.memory.clock import MemoryClock
from tollkeeper.domain.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Unauthenticated,
)

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
        assert [key.last_used_at for key in await world.tk.list_keys(account="acme")] == [first]
        clock.advance(timedelta(seconds=30))
        await world.tk.authenticate_key(issued.token)
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
